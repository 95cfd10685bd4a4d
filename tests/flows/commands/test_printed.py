"""What a query prints where the terminal has no Unicode."""

import json

import polars as pl
import pytest

from flows.commands.reading.printed import printed

FRAME = pl.DataFrame({"name": ["café", "😀 ok", "x" * 80], "n": [1, 2, None]})


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "ANSI_X3.4-1968"])
@pytest.mark.parametrize("as_json", [True, False])
def test_every_character_can_be_shown(encoding, as_json):
    printed(FRAME, as_json, encoding).encode(encoding)


def test_json_says_the_same_in_ascii():
    text = printed(FRAME, True, "latin-1")
    assert text.isascii() and json.loads(text) == FRAME.to_dicts()


def test_a_unicode_terminal_gets_boxes():
    assert "┌" in printed(FRAME, False, "UTF-8") and "café" in printed(FRAME, True, None)


def test_a_latin_terminal_keeps_its_letters():
    shown = printed(FRAME, False, "latin-1")
    assert "café" in shown and "\\U0001f600 ok" in shown and "+--" in shown


def test_an_id_is_never_broken_over_lines():
    wide = pl.DataFrame({f"column {n}": [f"{n:032x}"] for n in range(8)})
    assert f"{7:032x}" in printed(wide, False, None)
