"""Whatever a dataset's texts hold, what is printed and exported of them stays text."""

import csv
import dataclasses
import io
import json
import re
from pathlib import Path

import pytest

import catalog
from catalog.export import formats
from catalog.records import Clip, Source
from catalog.report.markdown import table
from tests.editmill.small_catalog import write_small_catalog
from tests.parts import by_key

HOSTILE = (
    "\x1b[2J\x9b31m\u202eevil\u2066\x00\x07\r\n=1+1[link=http://x]y[/link]|<img src=x>![](http://x)"
)
"""Clears a terminal, turns the reading direction, rings, and is a formula, a link, a picture."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    dataset = write_small_catalog(folder)
    pairs = list(dataset.tables.records("pairs"))
    texts = dict.fromkeys(
        ("label", "instruction", "enhanced_instruction", "prompt", "caption", "licence", "author"),
        HOSTILE,
    )
    hostile = dataclasses.replace(
        pairs[0], pair_id="f" * 32, source_id="5", clip_id="c", source_uri=HOSTILE, **texts
    )
    video = pairs[0].source_video
    source = Source(
        "5", HOSTILE, HOSTILE, HOSTILE, 96, 64, 12.0, 12, HOSTILE, [HOSTILE], [HOSTILE], HOSTILE
    )
    clip = Clip("c", "5", HOSTILE, HOSTILE, video, 0, 12, 12.0, 96, 64)
    dataset.tables.put("pairs", by_key([hostile]))
    dataset.tables.put("sources", by_key([source]))
    dataset.tables.put("clips", by_key([dataclasses.replace(clip, caption=HOSTILE)]))
    dataset.release("v2", "sources: {}", notes=HOSTILE)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ("query", "select * from pairs"),
        ("query", "select * from pairs", "--json"),
        ("query", "select name, licence from sources"),
        ("show", "ffff"),
        ("show", "ffff", "--json"),
        ("show", "ffff", "--provenance"),
        ("releases",),
        ("releases", "--card", "v2"),
        ("diff", "v1", "v2"),
        ("log",),
    ],
    ids=" ".join,
)
def test_nothing_printed_steers_a_terminal(editmill, root: Path, command) -> None:
    printed = editmill(*command, "--catalog", root)
    assert not [c for c in printed if not c.isprintable() and c != "\n"]
    if "--json" in command or "--provenance" in command:
        assert any(text == HOSTILE for text in texts(json.loads(printed)))


def texts(value: object) -> list[str]:
    """All strings in a JSON document."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_a_cell_of_a_card_is_text() -> None:
    *_, line = table(("a",), [(HOSTILE,)]).splitlines()
    assert line.isprintable() and line.startswith("| ") and line.endswith(" |")
    assert not re.search(r"(?<!\\)[][<>|]", line[2:-2].replace("\\\\", ""))


@pytest.mark.parametrize("name", sorted(formats.FORMATS))
def test_exports_keep_what_they_are_given(editmill, root: Path, tmp_path: Path, name: str) -> None:
    """A trainer reads the very text; paths in it are ours, and lead nowhere else."""
    editmill("export", name, "--out", tmp_path / "out", "--catalog", root)
    written = list((tmp_path / "out").rglob("*"))
    assert written
    for path in written:
        assert path.resolve().is_relative_to(tmp_path)
        assert path.name.isprintable()
        if path.suffix == ".csv":
            text = path.read_bytes().decode()  # read_text would change line breaks
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
            assert any(HOSTILE in row.values() for row in rows)
    assert catalog.open(root).pairs().collect().height == 5
