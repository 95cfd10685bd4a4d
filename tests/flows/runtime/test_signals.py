"""A signal ends a command wherever it comes."""

from __future__ import annotations

import signal
import time

import pytest

from flows.commands import entry


class Interrupted:
    """Ctrl-C comes while Python ends it, where no exception gets out."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)


def test_a_signal_that_python_drops_comes_again(capsys: pytest.CaptureFixture[str]) -> None:
    def command(**_: object) -> None:
        Interrupted()
        time.sleep(5)

    begun = time.monotonic()
    with pytest.raises(SystemExit) as ended:
        entry.run(command)
    assert ended.value.code == 128 + signal.SIGINT
    assert time.monotonic() - begun < 2
    assert capsys.readouterr().err == "editmill: stopped\n"


def test_a_compiled_module_that_a_signal_keeps_from_importing_is_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def command(**_: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException as stopped:
            raise ImportError("initialization failed") from stopped  # as pybind11 does

    with pytest.raises(SystemExit) as ended:
        entry.run(command)
    assert ended.value.code == 128 + signal.SIGINT
    assert capsys.readouterr().err == "editmill: stopped\n"
