"""`editmill label`: from a person's words or file to the catalog, all of it or nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

import catalog
from catalog.labels import holding
from tests.parts import by_key

KNOWN = "f" * 32


def held(root: Path) -> dict[str, tuple[bool, str, str]]:
    found = holding(catalog.open(root).storage)
    return {pair: (label.good, label.by, label.note) for pair, label in found.items()}


def other_pair(root: Path, ref: str = "main") -> str:
    rows = catalog.open(root, ref).sql("select pair_id from pairs order by pair_id")
    return str(rows["pair_id"][0])


def test_pairs_are_labelled_by_how_their_ids_begin(editmill, root: Path):
    other = other_pair(root)
    told = editmill("label", "bad", "ffff", other, "--note", "a shadow\nis left", "--catalog", root)
    assert told.startswith("labelled 2 pairs: 2 bad\n")
    assert held(root) == {pair: (False, "", "a shadow is left") for pair in (KNOWN, other)}
    again = ("label", "good", other[:10], KNOWN, "--by", "ada", "--catalog", root)
    editmill(*again[:3], "--by", "ada", "--catalog", root)
    assert editmill(*again).startswith("labelled 1 pair: 1 good (1 was so already)\n")
    assert json.loads(editmill(*again, "--json")) == {"good": 0, "bad": 0, "unchanged": 2}
    assert held(root)[KNOWN] == (True, "ada", "")
    counted = "select count(*) n from labels"
    assert json.loads(editmill("query", counted, "--catalog", root, "--json")) == [{"n": 4}]


def test_labels_that_nothing_learns_from_are_told_of(editmill, root: Path):
    dataset = catalog.open(root)
    known = dataset.pair(KNOWN).record
    removal = dataclasses.replace(known, pair_id="e" * 32, task="object_removal")
    dataset.tables.put("pairs", by_key([removal]))
    assert editmill("label", "good", "eeee", "--catalog", root) == "labelled 1 pair: 1 good\n"
    _, line = editmill("label", "bad", KNOWN, "eeee", "--catalog", root).splitlines()
    assert f"does not learn from labels of {known.task}:" in line


def test_a_pair_of_an_old_release_is_labelled_there(editmill, refused, root: Path):
    (gone,) = set(
        catalog.open(root, "v1").sql("select pair_id from pairs")["pair_id"]
    ) - set(catalog.open(root).sql("select pair_id from pairs")["pair_id"])  # fmt: skip
    assert "no pair begins with that id" in refused("label", "good", gone, "--catalog", root)
    editmill("label", "good", gone, "--ref", "v1", "--catalog", root)
    assert list(held(root)) == [gone]


def test_show_says_what_holds(editmill, root: Path):
    assert "\nlabel " not in editmill("show", "ffff", "--catalog", root)
    assert json.loads(editmill("show", "ffff", "--json", "--catalog", root))["label"] is None
    for verdict in ("good", "bad"):
        editmill("label", verdict, "ffff", "--by", "ada", "--note", "red", "--catalog", root)
    shown = editmill("show", "ffff", "--catalog", root).splitlines()
    assert shown[-1].startswith("label       bad, by ada on 20") and shown[-1].endswith(": red")
    told = json.loads(editmill("show", "ffff", "--json", "--catalog", root))["label"]
    assert (told["good"], told["by"], told["note"]) == (False, "ada", "red")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_file_is_read(editmill, root: Path, tmp_path: Path, suffix: str):
    other, path = other_pair(root), tmp_path / f"labels{suffix}"
    if suffix == ".csv":  # as a spreadsheet writes it
        text = f'\ufeffnote,label,pair_id\r\n"left, and\r\nright",good,ffff\r\n,bad,{other}\r\n'
    else:
        rows = (
            {"pair_id": "ffff", "label": "good", "note": "left, and\u2028right", "task": 7},
            {"pair_id": other, "label": "bad", "by": None},
        )
        text = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_bytes(text.encode())
    told = editmill("label", "--file", path, "--by", "ada", "--catalog", root)
    assert told.splitlines()[0] == "labelled 2 pairs: 1 good, 1 bad"
    assert held(root) == {KNOWN: (True, "ada", "left, and right"), other: (False, "ada", "")}
    assert "(2 were so already)" in editmill(
        "label", "--file", path, "--by", "ada", "--catalog", root
    )


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "pair_id,label\nffff,good\nzzzz,good\n", "a.csv, line 3: 'zzzz': no pair"),
        ("a.csv", "pair_id,label\nffff,good\nffff,fine\n", "line 3: 'fine' is no label; say good"),
        ("a.csv", "pair_id,label\nffff,good\nffff,fine\n", "say good or bad; none was labelled"),
        ("a.csv", "pair_id,label\nffff,good\nfffff,bad\n", "line 3: pair fffff is good and bad"),
        ("a.csv", "pair_id,label\nffff\n", "line 2: '' is no label"),
        ("a.csv", "pair,label\nffff,good\n", "a.csv: has no pair_id; expected pair_id, label"),
        ("a.csv", "", "a.csv: has no pair_id and no label; expected"),
        ("a.csv", "pair_id,label\n", "a.csv: has no rows"),
        ("a.csv", b"\xff\xfe\x00", "a.csv: can't be read"),
        ("a.jsonl", '{"pair_id": "ffff"}', "a.jsonl, line 1: has no label"),
        ("a.jsonl", '{"pair_id": "ffff", "label": "good"}\n[', "line 2: is no JSON object"),
        ("a.jsonl", '{"pair_id": "ffff", "label": true}', "line 1: label is True, no text"),
        ("a.jsonl", '{"pair_id": "\\ud800", "label": "bad"}', "no pair begins with that id"),
        ("a.txt", "ffff good", "a.txt: is neither a .csv nor a .jsonl"),
        ("none.csv", None, "none.csv: can't be read"),
    ],
)
def test_where_one_row_is_wrong_none_is_stored(
    refused, root: Path, tmp_path: Path, name: str, text: str | bytes | None, says: str
):
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert says in refused("label", "--file", path, "--catalog", root)
    assert held(root) == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say good or bad and then which pairs, or give a --file"),
        (("good", "--file", "a.csv"), "one of both"),
        (("good",), "name the pairs"),
        (("ffff", "good"), "'ffff' is no label; say good or bad"),
        (("good", "ffff", "zzzz"), "'zzzz': no pair begins"),
        (("good", "ffff", "zzzz"), "; none was labelled"),
        (("good", "ffff", ""), "several pairs begin"),
    ],
)
def test_wrong_arguments_are_one_line_and_store_nothing(
    refused, root: Path, arguments: tuple[str, ...], says: str
):
    assert says in refused("label", *arguments, "--catalog", root)
    assert held(root) == {}
