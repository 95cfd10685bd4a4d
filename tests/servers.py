"""Real servers for the tests, started on a free port and gone with the test process."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.storage.versioned import LakefsStorage

ROOT = Path(__file__).parents[1]

REQUIRED = "EDITMILL_TEST_LAKEFS"
"""Set where a test that finds no lakeFS must fail, and not be skipped: in CI."""


@dataclass
class LakefsServer:
    """A running lakeFS, whose S3 gateway is the tests' S3 server too."""

    endpoint: str  # http://127.0.0.1:port
    access_key: str
    secret_key: str = field(repr=False)
    folder: Path = Path()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with all it had when it was stopped."""
        # The shell ends the server when its own input closes, which this process's death does too.
        guard = 'exec 3<&0; "$@" </dev/null 3<&- & read -r _ <&3; kill -9 $!; wait'
        config = str(self.folder / "lakefs.yaml")
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                ["sh", "-c", guard, "sh", str(lakefs_binary()), "--config", config, "run"],
                stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                # Its memory is small: it need not look for garbage each time that doubles.
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "GOGC": "400"},
            )  # fmt: skip
        _wait_until_healthy(f"{self.endpoint}/_health", self.folder / "output")

    def stop(self) -> None:
        """End it as a power cut does."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait(timeout=30)

    def client(self):
        import lakefs

        return lakefs.Client(host=self.endpoint, username=self.access_key, password=self.secret_key)

    def repository(self) -> str:
        """The name of a new repository, which is a bucket too."""
        import lakefs

        name = f"r{secrets.token_hex(8)}"
        lakefs.Repository(name, client=self.client()).create(storage_namespace=f"local://{name}")
        return name

    def s3_environment(self) -> dict[str, str]:
        """What a user sets for `s3://`."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
        }

    def lakefs_environment(self) -> dict[str, str]:
        """What a user sets for `lakefs://`."""
        return {
            "LAKECTL_SERVER_ENDPOINT_URL": self.endpoint,
            "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": self.access_key,
            "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": self.secret_key,
        }


def lakefs_binary() -> Path:
    """Where `infra/lakefs/build.sh` puts the server."""
    module = (ROOT / "infra" / "lakefs" / "go.mod").read_text()
    found = re.search(r"github\.com/treeverse/lakefs v([0-9.]+)", module)
    assert found is not None
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "editmill" / "lakefs" / found[1] / "lakefs"


@contextmanager
def running_lakefs(folder: Path) -> Iterator[LakefsServer]:
    """A lakeFS that keeps all it has in `folder`; skips the test where there is no binary."""
    if not lakefs_binary().exists():
        missing = "no lakeFS server here; `make lakefs` compiles it where Go is installed"
        if os.environ.get(REQUIRED):
            pytest.fail(missing)
        pytest.skip(missing)
    access_key, secret_key = secrets.token_hex(10), secrets.token_hex(20)
    port = _free_port()
    (folder / "lakefs.yaml").write_text(yaml.safe_dump({
        "listen_address": f"127.0.0.1:{port}",
        "database": {"type": "local", "local": {"path": str(folder / "metadata")}},
        "blockstore": {"type": "local", "local": {"path": str(folder / "objects")}},
        "auth": {"encrypt": {"secret_key": secrets.token_hex(20)}},
        "installation": {
            "user_name": "tests", "access_key_id": access_key, "secret_access_key": secret_key,
        },
        "stats": {"enabled": False},
        "security": {"audit_check_url": "", "check_latest_version": False},
        "graveler": {"max_batch_delay": "1us"},  # else each request waits 3 ms, thrice, for others
        "logging": {"level": "ERROR", "output": [str(folder / "lakefs.log")]},
    }))  # fmt: skip
    server = LakefsServer(f"http://127.0.0.1:{port}", access_key, secret_key, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_until_healthy(url: str, output: Path, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"lakeFS did not come up in {seconds:.0f} s: {output.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def lakefs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakefsServer]:
    """One lakeFS for all tests of this process. A test asks it for a repository of its own."""
    with running_lakefs(tmp_path_factory.mktemp("lakefs")) as server:
        yield server


@pytest.fixture
def s3_uri(lakefs_server: LakefsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An empty `s3://bucket/prefix`; the environment says how to reach it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in lakefs_server.s3_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EDITMILL_STORAGE_CACHE", str(tmp_path / "local copies"))
    return f"s3://{lakefs_server.repository()}/main/team/catalog"


@pytest.fixture
def lakefs_uri(lakefs_server: LakefsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An empty `lakefs://repository`; the environment says how to reach it."""
    for name, value in lakefs_server.lakefs_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EDITMILL_STORAGE_CACHE", str(tmp_path / "local copies"))
    return f"lakefs://{lakefs_server.repository()}"


def commits(storage: LakefsStorage) -> list[Any]:
    """The last commits of a branch, the newest first, as lakeFS' own client has them."""
    from lakefs import Client, Repository

    access = storage.access
    client = Client(host=access.endpoint, username=access.key_id, password=access.secret)
    return list(Repository(storage.bucket, client=client).branch(storage.ref).log(max_amount=10))


@pytest.fixture(params=["folder", "s3", "lakefs"])
def storage_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty storage of each kind."""
    if request.param == "folder":
        return str(tmp_path / "catalog")
    return str(request.getfixturevalue(f"{request.param}_uri"))
