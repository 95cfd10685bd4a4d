"""What is of a wrong type is refused in one line that says what was expected."""

from pathlib import Path

import numpy as np
import pytest

import editmill


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        *(({"n": n}, "n is a whole number, 0 or more") for n in (1.5, "3", None, True, -1)),
        *(({"seed": seed}, "seed is a whole number") for seed in ("x", None, 1.5)),
        *(({"task": task}, "task is the name of a task or None") for task in (1, ["upscaling"])),
        *(({"keep": keep}, "keep is True, False or None") for keep in ("yes", 1)),
    ],
)
def test_a_sample(dataset, asked, expected):
    with pytest.raises(editmill.EditmillError) as told:
        dataset.sample(**asked)
    assert str(told.value) == f"{expected}, not {next(iter(asked.values()))!r}"


def test_numbers_of_numpy_are_whole_numbers(dataset):
    (pair,) = dataset.sample(n=np.int64(1), seed=np.int64(3))
    assert [pair] == dataset.sample(n=1, seed=3)
    assert len(pair.frames("source", np.int64(1), np.int32(2))) == 2


@pytest.mark.parametrize("given", [None, 1, b"3f", ["select 1"]])
def test_texts(dataset, given):
    for ask, expected in (
        (dataset.pair, "the id of a pair is a text"),
        (dataset.local_edit, "the id of a record is a text"),
        (dataset.sql, "a query is SQL as a text"),
    ):
        with pytest.raises(editmill.EditmillError, match=f"{expected}.*, not ") as told:
            ask(given)
        assert str(told.value).endswith(repr(given))


@pytest.mark.parametrize("root", [None, 1, b"x", ["x"]])
def test_what_names_no_catalog(root):
    with pytest.raises(editmill.EditmillError, match=r"a catalog is a folder, s3://.*, not"):
        editmill.open(root)


@pytest.mark.parametrize("root", ["base\0", Path("base\0"), "file:///base%00"])
def test_a_name_that_no_folder_can_have(root):
    with pytest.raises(editmill.EditmillError, match=r"no folder's name has a NUL in it; name"):
        editmill.open(root)


def test_a_number_of_frames(dataset):
    (pair,) = dataset.sample(n=1)
    for part in ("source", "difference"):
        for first, count, expected in (
            (-1, 3, "first is a whole number, 0 or more, not -1"),
            (0.5, 2, "first is a whole number, 0 or more, not 0.5"),
            (0, -1, "count is a whole number, 0 or more, not -1"),
            (0, "x", "count is a whole number, 0 or more, not 'x'"),
        ):
            with pytest.raises(editmill.EditmillError) as told:
                pair.frames(part, first, count)
            assert str(told.value) == expected
    pytest.importorskip("torch")
    with pytest.raises(editmill.EditmillError, match="first is a whole number"):
        pair.tensor("source", -1)
