"""Files of users are read in a process of their own: whatever happens there is one line here."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.errors import BadInput, EditmillError
from catalog.media.isolation import reader
from catalog.media.isolation.limits import DecodingLimits

HERE = "tests.catalog.media.hostile"


def call(
    function: str, limits: DecodingLimits = reader.LIMITS, **arguments: object
) -> list[object]:
    return list(reader.read(f"{HERE}:{function}", arguments, "f", limits=limits))


def test_a_process_is_used_again_and_another_is_this_one_s_guard() -> None:
    first, second = call("count", upto=3), call("count", upto=0)
    assert first[:3] == [0, 1, 2] and first[-1] == second[-1] != 0
    with pytest.raises(BadInput, match="f: is odd; mend it") as odd:
        call("refuse")
    assert (odd.value.reason, odd.value.final) == ("too_odd", False)
    assert call("count", upto=0) == second  # what was refused has hurt nothing


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("crash", "f: crashes its reader, or needs more than 4096 MiB .SIGSEGV.; split it"),
        ("fill_memory", "f: crashes its reader, or needs more than 4096 MiB .SIGABRT."),
        ("die", "f: the process that reads it was killed"),
        ("fail", "f: cannot be read .RuntimeError: no such thing.; write it anew"),
        ("say_too_much", "f: cannot be read .ValueError: a message of 17"),
    ],
)
def test_what_goes_wrong_is_one_line(function: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as error:  # this record's fault, and no build's end
        call(function)
    assert "\n" not in str(error.value)
    assert error.value.final == (function != "die")
    assert call("count", upto=1)[0] == 0


def test_what_never_ends_is_ended() -> None:
    with pytest.raises(EditmillError, match="f: was not read in 1 s of CPU time; split it"):
        call("spin", limits=replace(reader.LIMITS, seconds=1.0))


def test_a_disk_that_does_not_answer_is_not_waited_for() -> None:
    begun = time.monotonic()
    with pytest.raises(BadInput, match="f: nothing came of it for 3 s") as error:
        call("wait", limits=replace(reader.LIMITS, silence=3.0))
    assert not error.value.final
    assert time.monotonic() - begun < 30


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no memory is bound")
def test_a_file_may_be_larger_than_the_memory(tmp_path: Path) -> None:
    path, size = tmp_path / "large", reader.LIMITS.memory + (1 << 30)
    with path.open("wb") as file:
        file.truncate(size)
    assert call("map_file", path=str(path)) == [size]


def test_a_build_can_be_stopped_meanwhile() -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    begun = time.monotonic()
    with pytest.raises(Stopped):
        list(reader.read(f"{HERE}:spin", {}, "f", check_stop=stop))
    assert time.monotonic() - begun < 30


def test_it_has_no_secret_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    secrets, network, program = call("look_around", limits=replace(reader.LIMITS, seconds=99.0))
    assert secrets == []
    if sys.platform == "linux":
        assert (network, program) == ("PermissionError", "PermissionError")
