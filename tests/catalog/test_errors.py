"""What a user is told: one line that any terminal, table and log can hold."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import BadInput, EditmillError, one_line, printable


def test_names_of_any_bytes_can_be_printed() -> None:
    assert one_line("a\nb \t c") == "a b c"
    assert one_line("\x1b[31mred") == r"\x1b[31mred"
    assert one_line(os.fsdecode(b"caf\xe9.mp4: broken")) == r"caf\xe9.mp4: broken"
    assert one_line("café 日本") == "café 日本"


@given(st.binary())
def test_whatever_a_file_is_called_its_message_is_one_line_of_utf_8(name: bytes) -> None:
    told = one_line(os.fsdecode(name))
    assert len(told.splitlines()) <= 1
    assert told.encode("utf-8").decode("utf-8") == told


def test_errors_are_one_line() -> None:
    assert str(EditmillError("two\nlines")) == "two lines"
    error = BadInput("corrupt_video", "a\nb")
    assert (error.reason, str(error), error.final) == ("corrupt_video", "a b", True)
    assert not BadInput("unreadable_file", "x", final=False).final


def test_a_path_becomes_text_that_tables_can_hold():
    assert printable(Path(os.fsdecode(b"a/caf\xe9.mp4"))) == "a/caf\\xe9.mp4"
    assert printable(Path("new\nline/\u202eback\\slash é")) == "new\nline/\u202eback\\slash é"
