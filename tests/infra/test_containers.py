"""Containerfiles and compose files."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
FILES = sorted((INFRA / "containers").glob("Containerfile.*"))
SECRET = re.compile(r"(?i)(secret|password|token|api_key|auth)")


def _instructions(path: Path) -> list[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.M).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]  # type: ignore[misc]


def _constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split(" ;")[0].split("==", 1) for line in lines if "==" in line)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_image_runs_as_no_root_and_holds_no_secret(path: Path) -> None:
    instructions = _instructions(path)
    last = max(k for k, (name, _) in enumerate(instructions) if name == "FROM")
    final = instructions[last:]
    users = [value for name, value in final if name == "USER"]
    assert users == ["10001"]
    for name, value in instructions:
        assert name != "ADD"
        assert not (name in ("ARG", "ENV") and SECRET.search(value))
    copied = [value for name, value in final if name == "COPY"]
    assert copied == ["--from=build /opt/editmill /opt/editmill"]  # no source, no uv, no cache
    for name, value in instructions:
        if name == "RUN" and "apt-get install" in value:
            assert "--no-install-recommends" in value
            assert "rm -rf /var/lib/apt/lists/*" in value
        if name == "RUN" and "uv pip install" in value:
            assert "--mount=type=cache" in value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_packages_are_the_tested_ones(path: Path) -> None:
    project = (ROOT / "pyproject.toml").read_text()
    (extras,) = re.findall(r"^ARG EXTRAS=(.*)$", path.read_text(), flags=re.M)
    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", project, flags=re.M), extra
    assert "--constraint constraints.txt" in path.read_text()


def test_both_images_are_made_alike() -> None:
    cpu, gpu = (_instructions(path) for path in FILES)
    steps = [[name for name, _ in each] for each in (cpu, gpu)]
    assert [s for s in steps[0] if s != "ARG"] == [s for s in steps[1] if s != "ARG"]


def test_what_is_built_from_is_in_the_context() -> None:
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert {"catalog", "experts", "filters", "flows", "editmill"} <= allowed
    assert all((ROOT / name).exists() for name in allowed)
    for path in FILES:
        for name, value in _instructions(path):
            if name == "COPY" and not value.startswith("--from") and value != ". .":
                assert {part.split("/")[0] for part in value.split()[:-1]} <= allowed


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reads a compose file by the library of `docker compose` (compose-go), compiled here."""
    if shutil.which("go") is None:
        pytest.skip("needs Go")
    made = tmp_path_factory.mktemp("compose") / "compose_config"
    source = Path(__file__).parent / "compose_config"
    _compiled(["go", "build", "-o", str(made), "."], source)
    return made


def _compiled(command: list[str], folder: Path, seconds: float = 120) -> None:
    """Runs a compiler, at most `seconds` and once more if it took longer: Go's has hung, together
    with the linker it had started, which is why the whole process group is killed."""
    for last in (False, True):
        running = subprocess.Popen(command, cwd=folder, start_new_session=True)
        try:
            code = running.wait(seconds)
        except subprocess.TimeoutExpired:
            if last:
                raise
        else:
            if code:
                raise subprocess.CalledProcessError(code, command)
            return
        finally:
            if running.poll() is None:  # too slow, or the test was stopped
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()


def test_a_compiler_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    hangs_once = "test -e child && exit; sleep 60 & echo $! > child; wait"
    _compiled(["sh", "-c", hangs_once], tmp_path, seconds=0.5)
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 5
    while _alive(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _alive(child)
    with pytest.raises(subprocess.CalledProcessError):
        _compiled(["sh", "-c", "exit 3"], tmp_path)


def _alive(process: int) -> bool:
    """Whether it runs; one that nobody has waited for yet is ended."""
    told = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True
    ).stdout.strip()
    return bool(told) and not told.startswith("Z")


def _variables(*names: str) -> dict[str, str]:
    """Of these examples, each with a value."""
    lines = [line for name in names for line in (INFRA / name).read_text().splitlines()]
    given = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: value or f"own-{name.lower()}" for name, value in given}


def _read(reader: Path, file: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [reader, INFRA / file], capture_output=True, text=True, env=own | variables
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("file", "example"),
    [("compose.yaml", ".env.example"), ("lakefs/compose.yaml", "lakefs/.env.example")],
)
def test_a_compose_file_is_read_as_docker_reads_it(reader: Path, file: str, example: str) -> None:
    variables = _variables(example)
    told = _read(reader, file, variables)
    assert told.returncode == 0, told.stderr
    services: dict[str, Any] = json.loads(told.stdout)["services"]
    for name, service in services.items():
        assert service.get("healthcheck") or name == "editmill", name
        assert not service.get("privileged")
        assert ":latest" not in service["image"]
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", name
    needed = set(variables) - {"S3_ENDPOINT"}
    without = _read(reader, file, {n: v for n, v in variables.items() if n not in needed})
    assert without.returncode == 1
    for name in re.findall(r"required variable (\w+)", without.stderr):
        assert name in variables  # the example names all that must be given


@pytest.mark.timeout(300)
def test_the_whole_has_its_parts(reader: Path) -> None:
    told = _read(reader, "compose.yaml", _variables(".env.example"))
    services = json.loads(told.stdout)["services"]
    assert {"prefect", "prefect-database", "lakefs", "postgres", "objects"} < set(services)
    assert {"worker", "worker-gpu", "vllm"} < set(services)
    for name in ("worker", "worker-gpu", "editmill", "prefect"):
        assert services[name]["cap_drop"] == ["ALL"]
    url = services["prefect"]["environment"]["PREFECT_API_DATABASE_CONNECTION_URL"]
    assert url.startswith("postgresql+asyncpg://prefect:own-")
    for name in ("worker", "worker-gpu"):
        file = services[name]["build"]["dockerfile"]
        assert (ROOT / file).is_file()
        assert services[name]["image"] == f"editmill:{Path(file).suffix[1:]}"
    (device,) = services["vllm"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


def test_prefect_is_the_pinned_one_everywhere() -> None:
    version = _constraints()["prefect"]
    worker = (INFRA / "kubernetes" / "worker.yaml").read_text()
    assert f"prefecthq/prefect:{version}-" in worker
    assert yaml.safe_load((INFRA / "prefect.yaml").read_text())["prefect-version"] == version
