"""Training pairs that are kept are the ones that were made, and no others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from filters.quality.training import train
from filters.quality.training.good_edits import GoodEdits
from filters.quality.training.kept_sets import KeptSets
from filters.quality.training.training_set import TrainingSet

pytestmark = pytest.mark.weights

TWO = ("clip_city", "clip_bikes")


def of(source: str) -> TrainingSet:
    x = np.random.default_rng(len(source)).normal(size=(3, 5)).astype(np.float32)
    facts = ("good", "smear", "good"), ("object_removal",) * 3, (source,) * 3, (f"{source}:0",) * 3
    return TrainingSet(x, *facts)


def same(a: TrainingSet, b: TrainingSet) -> bool:
    return (a.x == b.x).all() and dataclasses.astuple(a)[1:] == dataclasses.astuple(b)[1:]


def unwanted() -> TrainingSet:
    raise AssertionError("made again")


def test_what_was_made_is_made_once(encoder, tmp_path: Path):
    kept = KeptSets(tmp_path / "sets", 0, GoodEdits(), encoder)
    assert same(kept.of("a", lambda: of("a")), of("a"))
    assert same(kept.of("a", unwanted), of("a"))
    again = KeptSets(tmp_path / "sets", 0, GoodEdits(), encoder)
    assert same(again.of("a", unwanted), of("a"))


@pytest.mark.parametrize(("seed", "edits"), [(1, GoodEdits()), (0, GoodEdits(windows=2))])
def test_what_depends_on_something_else_is_made(encoder, tmp_path: Path, seed, edits):
    KeptSets(tmp_path, 0, GoodEdits(), encoder).of("a", lambda: of("a"))
    other = KeptSets(tmp_path, seed, edits, encoder)
    assert same(other.of("a", lambda: of("other")), of("other"))
    with pytest.raises(AssertionError, match="made again"):
        KeptSets(tmp_path, 0, GoodEdits(), encoder).of("b", unwanted)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive"])
def test_a_damaged_file_is_made_again(encoder, tmp_path: Path, data: bytes):
    kept = KeptSets(tmp_path, 0, GoodEdits(), encoder)
    kept.of("a", lambda: of("a"))
    (path,) = tmp_path.iterdir()
    for broken in (data, path.read_bytes()[:-30]):
        path.write_bytes(broken)
        assert same(kept.of("a", lambda: of("a")), of("a"))
        assert same(kept.of("a", unwanted), of("a"))


def test_a_folder_that_takes_no_files_only_costs_time(encoder, tmp_path: Path):
    (tmp_path / "file").touch()
    kept = KeptSets(tmp_path / "file" / "sets", 0, GoodEdits(), encoder)
    assert same(kept.of("a", lambda: of("a")), of("a"))


def test_a_training_that_was_stopped_goes_on_with_the_next_source(
    encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []

    def pairs(self, videos, seed):
        asked.extend(source for source, _ in videos)
        yield from ()

    def made(pairs, seed, encoder):
        list(pairs)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return of(asked[-1])

    monkeypatch.setattr(GoodEdits, "pairs", pairs)
    monkeypatch.setattr(train, "training_set", made)
    with pytest.raises(KeyboardInterrupt):
        train.sample_pairs(encoder, TWO, keep_in=tmp_path)
    found = train.sample_pairs(encoder, TWO, keep_in=tmp_path)
    first, second = dict.fromkeys(asked)
    assert asked == [first, second, second]
    assert found.sources == (first,) * 3 + (second,) * 3
