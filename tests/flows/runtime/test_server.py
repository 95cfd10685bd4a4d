"""The Prefect server behind a build: real where a user would meet it, else small stand-ins."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import httpx
import psutil
import pytest

from catalog.errors import EditmillError
from flows.recipe import parse
from flows.runtime.context import Stopped
from flows.runtime.orchestration import embedded as prefect_server
from flows.runtime.orchestration import server
from flows.runtime.orchestration import settings as prefect_settings

REPOSITORY = Path(__file__).parents[3]

HOSTILE = {
    "PREFECT_API_URL": "http://127.0.0.1:9/api",
    "prefect_api_url": "http://127.0.0.1:9/api",
    "PREFECT_PROFILE": "nobody",
    "PREFECT_API_REQUEST_TIMEOUT": "soon",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "socks://127.0.0.1:9",
    "SSL_CERT_FILE": "/nowhere.pem",
    "UVICORN_PORT": "1",
}

REPORT = """
import threading
from flows.runtime.orchestration.server import OrchestrationServer

server = OrchestrationServer()
connection = server.connect(threading.Event(), print)
from prefect import flow
from flows.runtime.orchestration.client import using

@flow
def small():
    return "ran"

with using(connection):
    print(small(), server.url, server._embedded._process.pid, server._embedded.folder, flush=True)
input()
"""


def _hostile_folder(root: Path) -> Path:
    """A working folder with settings for Prefect, and with modules of the user's own."""
    (root / "flows").mkdir()
    for name in ("random.py", "queue.py", "catalog.py", "flows/__init__.py"):
        (root / name).write_text("raise SystemExit('a module of the user')")
    (root / ".env").write_text("database=abc\nhome=/nowhere\nPREFECT_API_URL=http://127.0.0.1:9\n")
    (root / "prefect.toml").write_text('[api]\nurl = "http://127.0.0.1:9/api"\n')
    (root / "pyproject.toml").write_text("no toml [")
    return root


def _gone(pid: int) -> bool:
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


def test_surroundings_are_not_obeyed_and_a_killed_build_leaves_no_server(tmp_path: Path) -> None:
    home = tmp_path / "prefect"
    home.mkdir()
    (home / "profiles.toml").write_text('active = "x"\n[profiles.x]\nPREFECT_API_URL = "http://x"')
    (home / "prefect.db").write_text("no database")
    (tmp_path / "cwd").mkdir()
    running = subprocess.Popen(
        [sys.executable, "-P", "-c", REPORT],
        cwd=_hostile_folder(tmp_path / "cwd"),
        env=os.environ | HOSTILE | {"PREFECT_HOME": str(home), "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None and running.stderr is not None
    told = running.stdout.readline().split()
    assert told[:1] == ["ran"], running.stderr.read()
    pid, folder = int(told[2]), Path(told[3])
    assert httpx.get(f"{told[1]}/health", trust_env=False).json() is True
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert _gone(pid)
    assert not folder.exists()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], server.Embedded]:
    """`stand_in(program)`: starts it in the server's place."""

    def start(program: str) -> server.Embedded:
        path = tmp_path / "program.py"
        path.write_text(program)
        monkeypatch.setattr(prefect_server, "__file__", str(path))
        return server.Embedded()

    return start


def test_a_server_that_cannot_start_says_why_at_once(stand_in: Callable) -> None:
    begun = time.monotonic()
    with pytest.raises(EditmillError, match="cannot start: database or disk is full; mend") as told:
        stand_in("print('database or disk is full'); raise SystemExit(1)").wait()
    assert "\n" not in str(told.value)
    assert time.monotonic() - begun < 10


def test_one_that_never_answers_is_not_waited_for_long(stand_in: Callable) -> None:
    with pytest.raises(EditmillError, match="gave no sign for 1 s"):
        stand_in("import time; time.sleep(60)").wait(1)


def test_a_server_that_dies_is_started_again_but_not_for_ever(
    stand_in: Callable, tmp_path: Path
) -> None:
    embedded = stand_in(
        f"open({str(tmp_path / 'starts')!r}, 'a').write('.'); print('ready', flush=True)\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    embedded.wait()
    for _ in range(300):
        if embedded.dead:
            break
        time.sleep(0.1)
    assert embedded.dead == "it was ended by SIGKILL, perhaps for memory"
    assert (tmp_path / "starts").read_text() == "." * (server.RESTARTS + 1)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", int(embedded.url.split(":")[2].split("/")[0])), 1)


def test_no_place_to_work_in_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "file"))
    with pytest.raises(EditmillError, match=r"cannot start: .*file"):
        server.Embedded()


def test_a_full_temporary_folder_gives_way_to_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "cache"))
    usage = server.shutil.disk_usage

    def full(place: Path) -> object:
        cached = str(place).startswith(str(tmp_path))
        return usage(place) if cached else usage(place)._replace(free=1000)

    monkeypatch.setattr(server.shutil, "disk_usage", full)
    assert server.folder().parent == tmp_path / "cache" / "prefect"


def test_a_broken_template_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "t.db").write_text("no database" * 100)
    assert not prefect_server._usable(tmp_path / "t.db")
    assert not prefect_server._usable(tmp_path / "absent.db")


class Users:
    """The user's profiles and variables for Prefect."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.variables = {"PREFECT_HOME": str(home), "PREFECT_API_KEY": "k", "PREFECT_UI_URL": "u"}
        monkeypatch.setattr(prefect_settings, "_users_variables", lambda: self.variables)
        (home / "profiles.toml").write_text(
            'active = "work"\n[profiles.work]\nPREFECT_API_URL = "https://w/api"\n'
            '[profiles.bare]\nPREFECT_LOGGING_LEVEL = "DEBUG"\n'
        )


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Users:
    return Users(tmp_path, monkeypatch)


def test_the_users_server_is_a_url_or_a_profile(users: Users) -> None:
    found = prefect_settings.users_server
    assert found("http://h:4200") == ("http://h:4200/api", {"PREFECT_API_KEY": "k"})
    assert found("https://h/path/api/")[0] == "https://h/path/api"
    assert found("work")[0] == found("profile")[0] == "https://w/api"
    users.variables["PREFECT_API_URL"] = "http://set"
    assert found("profile")[0] == "http://set/api"
    assert found("work")[0] == "https://w/api"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("ftp://h", "address"),
        ("http://[::1/api", "address"),
        ("http://h:99999/api", "address"),
        ("http://me:secret@h/api", "PREFECT_API_AUTH_STRING"),
        ("play", "there are: work, bare"),
        ("bare", "names no server"),
    ],
)
def test_a_server_that_is_none_is_one_line(users: Users, asked: str, told: str) -> None:
    with pytest.raises(EditmillError, match=told) as raised:
        prefect_settings.users_server(asked)
    assert "secret" not in str(raised.value)
    (users.home / "profiles.toml").write_text("no toml [")
    with pytest.raises(EditmillError, match="profiles can't be read"):
        prefect_settings.users_server("work")


def test_where_no_server_is_named_anywhere_both_ways_are_told(users: Users) -> None:
    (users.home / "profiles.toml").unlink()
    with pytest.raises(EditmillError, match="set PREFECT_API_URL or give --server a URL"):
        prefect_settings.users_server("profile")


def test_a_recipe_may_name_a_server_and_it_changes_no_result() -> None:
    text = "name: a\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"
    own, theirs = parse(text, "a"), parse(text + "run: {server: 'http://h:4200/api'}\n", "a")
    assert theirs.run.server == "http://h:4200/api"
    assert own.decisions() == theirs.decisions()


class Lines(list[str]):
    """What the user was told."""


@pytest.fixture
def prefect() -> None:
    """Prefect, set up for a server that is not there."""
    prefect_settings.apply("http://127.0.0.1:9/api")


def _connected(tell: Lines, stop: threading.Event | None = None):  # type: ignore[no-untyped-def]
    from flows.runtime.orchestration.client import Connection

    return Connection("http://127.0.0.1:9/api", stop or threading.Event(), tell.append)


def _client(answers: list[object]):  # type: ignore[no-untyped-def]
    """A client of Prefect's whose server gives these answers, one after the other."""
    from flows.runtime.orchestration.client import _SyncClient

    def answer(request: httpx.Request) -> httpx.Response:
        given = answers.pop(0)
        if isinstance(given, Exception):
            raise given
        assert isinstance(given, int)
        return httpx.Response(given, request=request)

    return _SyncClient(base_url="http://127.0.0.1:9/api", transport=httpx.MockTransport(answer))


@pytest.mark.usefixtures("prefect")
def test_a_server_that_comes_back_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.runtime.orchestration import client as prefect_client

    clock = iter([0.0, 1.0, 3.0])
    monkeypatch.setattr(prefect_client, "monotonic", lambda: next(clock))
    told = Lines()
    connection = _connected(told)
    pauses: list[float] = []
    monkeypatch.setattr(connection, "wait", pauses.append)
    with prefect_client.using(connection):
        answers = [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), 503, 200]
        assert _client(answers).get("/flows").status_code == 200
    assert pauses == [1, 2, 4]
    assert [line.split(" at ")[0] for line in told] == [
        "The Prefect server",
        "The Prefect server answers again.",
    ]


@pytest.mark.usefixtures("prefect")
def test_one_that_stays_away_ends_the_build_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.runtime.orchestration import client as prefect_client

    clock = iter([0.0, prefect_client.PATIENCE + 1, prefect_client.PATIENCE + 2])
    monkeypatch.setattr(prefect_client, "monotonic", lambda: next(clock))
    stop = threading.Event()
    connection = _connected(Lines(), stop)
    monkeypatch.setattr(connection, "wait", lambda _: None)
    with prefect_client.using(connection):
        client = _client([httpx.ConnectError("refused")] * 3)
        for _ in range(2):  # it is not waited for twice
            with pytest.raises(prefect_client.ServerLost, match="away for 5 minutes; all finished"):
                client.get("/flows")
    assert stop.is_set()


@pytest.mark.usefixtures("prefect")
def test_waiting_ends_when_the_build_shall_stop() -> None:
    from flows.runtime.orchestration import client as prefect_client

    stop = threading.Event()
    stop.set()
    with prefect_client.using(_connected(Lines(), stop)), pytest.raises(Stopped):
        _client([httpx.ConnectError("refused")] * 3).get("/flows")


@pytest.mark.usefixtures("prefect")
def test_a_server_that_hangs_is_away_and_keeps_no_build_that_shall_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes connections, and never answers; Prefect's own client would wait for a minute each
    time, and sends several requests as a flow ends."""
    from flows.runtime.orchestration import client as prefect_client

    monkeypatch.setattr(prefect_client, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(prefect_client, "REQUEST_SECONDS_AWAY", 0.1)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        client = prefect_client.orchestration.PrefectHttpxSyncClient(base_url=url)
        with prefect_client.using(_connected(Lines(), stop)):
            began = time.monotonic()
            threading.Timer(0.5, stop.set).start()
            for _ in range(5):
                with pytest.raises(Stopped):
                    client.get("/flows")
            assert time.monotonic() - began < 5


@pytest.mark.usefixtures("prefect")
def test_an_answer_is_an_answer() -> None:
    from prefect.exceptions import PrefectHTTPStatusError

    from flows.runtime.orchestration import client as prefect_client

    with prefect_client.using(_connected(Lines())), pytest.raises(PrefectHTTPStatusError):
        _client([404]).get("/flows")


@pytest.mark.usefixtures("prefect")
def test_a_dead_server_of_the_users_is_one_line() -> None:
    from flows.runtime.orchestration.client import check

    with pytest.raises(EditmillError, match=r"no Prefect server answers at http://127.0.0.1:9/api"):
        check("http://127.0.0.1:9/api")


@pytest.mark.usefixtures("prefect")
def test_a_server_that_has_just_been_started_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.runtime.orchestration import client as prefect_client

    asked: list[int] = []

    def client(**_: object) -> MagicMock:
        asked.append(1)
        if len(asked) < 3:
            raise httpx.ConnectError("refused")
        return MagicMock()

    pauses: list[float] = []
    monkeypatch.setattr(prefect_client.orchestration, "get_client", client)
    monkeypatch.setattr(prefect_client, "sleep", pauses.append)
    prefect_client.check("http://127.0.0.1:9/api", patience=5)
    assert pauses == [0.5, 1.0]
    asked.clear()
    with pytest.raises(EditmillError, match="no Prefect server answers"):
        prefect_client.check("http://127.0.0.1:9/api", patience=0.4)
    assert len(asked) == 1
