"""What `editmill query` prints, in characters that the terminal or file it goes to can hold."""

from __future__ import annotations

import json

import polars as pl

from catalog.errors import visible


def printed(frame: pl.DataFrame, as_json: bool, encoding: str | None) -> str:
    """The rows as a table for a person or as JSON; `encoding` is the output's, None for UTF-8.

    In an encoding that is no Unicode a table has lines of ASCII, and what is not in the encoding
    is shown as an escape, in JSON as JSON's own.
    """
    unicode = encoding is None or encoding.lower().replace("-", "").startswith("utf")
    if as_json:
        text = frame.write_json()
        return visible_json(text) if unicode else "".join(map(_json_ascii, text))
    with pl.Config(
        tbl_rows=100,
        tbl_cols=50,
        fmt_str_lengths=60,
        tbl_width_chars=-1,  # no cell is broken: an id must be whole to be copied
        tbl_hide_dataframe_shape=True,
        ascii_tables=not unicode,
    ):
        text = visible(str(frame), keep="\n")
    if encoding is None or unicode:
        return text
    return text.replace("…", "...").encode(encoding, "backslashreplace").decode(encoding)


def visible_json(text: str) -> str:
    """JSON whose strings hold no character that would steer a terminal: JSON's escapes instead."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _json_ascii(character: str) -> str:
    return character if character.isascii() else json.dumps(character)[1:-1]
