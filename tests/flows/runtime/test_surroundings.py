"""The command where its surroundings are not what one would wish."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flows.runtime.stopping import signals

REPOSITORY = Path(__file__).parents[3]
COMMAND = [sys.executable, "-P", "-m", "flows.cli"]
HELP = "build", "--help"


def _run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)} | options.pop("env", {})  # type: ignore[operator]
    given = {"stdout": subprocess.PIPE, **options}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*COMMAND, *arguments], stderr=subprocess.PIPE, text=True, env=env, check=False, **given
    )


def test_a_full_device_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        ended = _run(*HELP, stdout=full)
    assert ended.returncode == 1
    assert ended.stderr == "editmill: the output: No space left on device\n"


def test_a_reader_who_has_had_enough_ends_it_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    ended = _run(*HELP, stdout=write)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, "")


def test_a_terminal_that_lacks_characters_gets_escapes() -> None:
    ended = _run("models", env={"PYTHONIOENCODING": "ascii", "COLUMNS": "200"})
    assert (ended.returncode, ended.stderr) == (0, "")
    named = _run("query", "x", "--catalog", "≥é", env={"PYTHONIOENCODING": "ascii"})
    assert named.stderr.startswith("editmill: >=\\xe9: ")


def test_a_working_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.rmdir({str(gone)!r}); from flows.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-P", "-c", script, "doctor"],
        cwd=gone,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    told = "editmill: the working folder is gone; change to one that is there\n"
    assert (ended.returncode, ended.stderr) == (1, told)


@pytest.mark.parametrize("number", signals.STOPPING)
def test_a_signal_ends_a_command_in_one_line(number: int) -> None:
    script = (
        "import os; from flows import cli\n"
        f"cli.app = lambda **_: os.kill(os.getpid(), {int(number)})\ncli.main()"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (128 + number, "editmill: stopped\n")


@pytest.mark.parametrize(("imported", "told"), [("", ""), ("triton", "freed\n")])
def test_garbage_is_left_at_the_end_but_not_where_it_would_be_complained_of(
    imported: str, told: str
) -> None:
    script = (
        "import sys; from flows.commands import entry\n"
        "class Node:\n"
        "    def __init__(self): self.itself = self\n"
        "    def __del__(self): print('freed')\n"
        f"sys.modules.update(dict.fromkeys({imported.split()!r}, sys))\n"
        "entry.run(lambda **_: Node() and 3)"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, told, "")


def test_signals_call_the_handler_and_are_given_back() -> None:
    seen: list[int] = []
    before = [signal.getsignal(number) for number in signals.STOPPING]
    with signals.handled(seen.append):
        for number in signals.STOPPING:
            signal.raise_signal(number)
    assert seen == list(signals.STOPPING)
    assert [signal.getsignal(number) for number in signals.STOPPING] == before


def test_in_a_thread_signals_are_left_alone() -> None:
    entered: list[bool] = []

    def work() -> None:
        with signals.handled(lambda _: None):
            entered.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [True]
