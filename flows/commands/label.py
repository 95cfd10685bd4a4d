"""`editmill label`: what people say of pairs, stored in the catalog."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

import catalog
from catalog.errors import EditmillError, one_line, visible
from catalog.labels import add, labelled
from catalog.query import Queries
from catalog.storage.location import Versioned
from catalog.wording import counted

GOOD, BAD = "good", "bad"

COLUMNS = ("pair_id", "label")
"""That a file must have; `by` and `note` it may have."""


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """A row of what somebody said; `where` names it in an error, and ends with a colon."""

    where: str
    pair: str  # an id, or how it begins
    label: str
    by: str
    note: str


def main(
    verdict: str | None,
    pairs: Sequence[str],
    uri: str,
    *,
    file: Path | None,
    by: str,
    note: str,
    ref: str,
    as_json: bool,
) -> None:
    """Stores the labels and says how many. Raises EditmillError, one line, where one of them is
    wrong; then none is stored."""
    if (file is None) == (verdict is None):
        raise EditmillError("say good or bad and then which pairs, or give a --file; one of both")
    by, note = one_line(by), one_line(note)
    if file is not None:
        said = list(_of_file(file, by, note))
    else:
        said = [PairVerdict("", visible(pair), verdict or "", by, note) for pair in pairs]
    if not said:
        raise EditmillError(f"{file}: has no rows" if file else "name the pairs, by their ids")
    dataset = catalog.open(uri, ref=ref)
    try:
        wanted, tasks = _by_pair(dataset, said)
    except EditmillError as error:
        of_others = "; none was labelled" if len(said) > 1 else ""
        raise EditmillError(f"{error}{of_others}") from None
    labels = [labelled(pair, one.label == GOOD, one.by, one.note) for pair, one in wanted.items()]
    stored = add(dataset, labels)
    if stored and isinstance(dataset.storage, Versioned):
        dataset.storage.commit("Label pairs", {"labels": str(len(stored))})
    good = sum(each.good for each in stored)
    counts = {GOOD: good, BAD: len(stored) - good, "unchanged": len(labels) - len(stored)}
    print(json.dumps(counts) if as_json else _told(counts))
    if not as_json and (unused := _unused(tasks)):
        print(unused)


def _unused(tasks: Set[str]) -> str:
    """A line where some labels are of tasks that the quality filter, which learns from labels, does
    not judge."""
    from filters.construction import CONSTRUCTED  # takes a second

    others = sorted(tasks & CONSTRUCTED)
    if not others:
        return ""
    return (
        f"`editmill retrain quality` does not learn from labels of {', '.join(others)}: such pairs "
        "are checked by arithmetic"
    )


def _told(counts: Mapping[str, int]) -> str:
    """`labelled 3 pairs: 2 good, 1 bad (1 was so already)`."""
    line = f"labelled {counted(counts[GOOD] + counts[BAD], 'pair')}"
    named = [f"{counts[label]} {label}" for label in (GOOD, BAD) if counts[label]]
    if named:
        line += f": {', '.join(named)}"
    if same := counts["unchanged"]:
        line += f" ({same} {'was' if same == 1 else 'were'} so already)"
    return line


def _by_pair(
    dataset: Queries, said: Sequence[PairVerdict]
) -> tuple[dict[str, PairVerdict], set[str]]:
    """What was said of each pair, by its whole id, and the tasks of all. Raises EditmillError for a
    label that is none, a pair that is not there, and one that was called both good and bad."""
    for each in said:
        if each.label not in (GOOD, BAD):
            raise EditmillError(f"{each.where}{each.label!r} is no label; say {GOOD} or {BAD}")
    names = {each.pair for each in said}
    rows = dataset.pairs().filter(pl.col("pair_id").is_in(list(names))).select("pair_id", "task")
    known = rows.collect()  # at once: a file may name thousands
    whole = {name: name for name in known["pair_id"]}
    tasks = set(known["task"])
    found: dict[str, PairVerdict] = {}
    for each in said:
        if each.pair not in whole:
            try:
                pair_of_prefix = dataset.pair(each.pair)
            except EditmillError as error:
                raise EditmillError(f"{each.where}{error}") from None
            whole[each.pair] = pair_of_prefix.id
            tasks.add(pair_of_prefix.record.task)
        pair = whole[each.pair]
        if pair in found and found[pair].label != each.label:
            raise EditmillError(f"{each.where}pair {each.pair} is {GOOD} and {BAD}; say one")
        found[pair] = each
    return found, tasks


def _of_file(path: Path, by: str, note: str) -> Iterator[PairVerdict]:
    for line, row in _rows(path):
        where = f"{path}, line {line}: "
        values = {name: row.get(name) or "" for name in (*COLUMNS, "by", "note")}
        for name, value in values.items():
            if not isinstance(value, str):
                raise EditmillError(f"{where}{name} is {value!r}, no text; put it in quotes")
        pair, label, own_by, own_note = (one_line(value) for value in values.values())
        yield PairVerdict(where, pair, label, own_by or by, own_note or note)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of the file with their lines' numbers. Raises EditmillError, one line."""
    read = {".csv": _csv, ".jsonl": _jsonl}.get(path.suffix.lower())
    if read is None:
        raise EditmillError(f"{path}: is neither a .csv nor a .jsonl; name a file that is")
    try:
        text = path.read_text(encoding="utf-8-sig")  # as spreadsheets write it
        yield from read(path, io.StringIO(text, newline=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EditmillError(f"{path}: can't be read ({error}); check the file") from None


def _csv(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(lines)
    _refuse_without_columns(f"{path}", reader.fieldnames or ())
    for row in reader:
        yield reader.line_num, row


def _jsonl(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise EditmillError(f"{where}: is no JSON object; expected one with {_columns()}")
        _refuse_without_columns(where, row)
        yield number, row


def _refuse_without_columns(where: str, names: Sequence[str] | Mapping[str, Any]) -> None:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise EditmillError(f"{where}: has no {' and no '.join(missing)}; expected {_columns()}")


def _columns() -> str:
    return f"{', '.join(COLUMNS)} and, where you like, by and note"
