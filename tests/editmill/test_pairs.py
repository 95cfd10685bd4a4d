"""Opened pairs: their frames, masks, differences and tensors; finding one, and drawing some."""

import pickle
import sys

import numpy as np
import polars as pl
import pytest

import editmill
from catalog.samples.choose import choose
from tests.editmill.small_catalog import (
    FRAMES,
    HEIGHT,
    WIDTH,
    bar,
    bar_masks,
    write_small_catalog,
)

LOSS = 6.0
"""Mean levels that H.264 may be off at the catalog's rate factor; measured: below 2."""


def one(dataset, task):
    return dataset.sample(task=task, n=1)[0]


def apart(a, b):
    return np.abs(a.astype(float) - b).mean()


def test_frames_and_masks_are_those_that_were_written(dataset):
    pair = one(dataset, "object_removal")
    assert pair.source.shape == pair.target.shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert pair.source.dtype == np.uint8
    assert apart(pair.source, bar()) < LOSS
    assert apart(pair.target, bar(level=70)) < LOSS
    assert pair.mask.dtype == bool
    np.testing.assert_array_equal(pair.mask, bar_masks())


def test_the_difference_is_where_the_edit_is(dataset):
    pair = one(dataset, "object_removal")
    assert pair.difference.dtype == np.uint8
    signed = pair.source.astype(int) - pair.target
    np.testing.assert_array_equal(pair.difference, np.abs(signed))
    assert apart(pair.difference[pair.mask], 200 - 70) < LOSS
    assert pair.difference[~pair.mask].mean() < LOSS


def test_sides_of_different_size_have_no_difference(dataset):
    pair = one(dataset, "upscaling")
    assert pair.source.shape[1:3] == (HEIGHT // 2, WIDTH // 2)
    with pytest.raises(editmill.EditmillError, match=r"48×32 px.*96×64 px.*resize") as caught:
        _ = pair.difference
    assert "\n" not in str(caught.value)


def test_a_pair_without_a_mask_says_so(dataset):
    pair = one(dataset, "upscaling")
    assert not pair.has_mask
    with pytest.raises(editmill.EditmillError, match="upscaling has no mask"):
        _ = pair.mask


def test_a_slice_is_a_part_of_the_whole(dataset):
    pair = one(dataset, "object_removal")
    for part in ("source", "target", "mask", "difference"):
        np.testing.assert_array_equal(pair.frames(part, 3, 4), getattr(pair, part)[3:7])
        assert len(pair.frames(part, FRAMES - 2, 16)) == 2
    with pytest.raises(editmill.EditmillError, match="no 'targets'; it has source, target, mask"):
        pair.frames("targets")


def test_a_slice_decodes_only_what_it_needs(dataset, monkeypatch):
    decoded = []
    read = sys.modules["catalog.samples.pair"].read_video
    monkeypatch.setattr(
        "catalog.samples.pair.read_video",
        lambda *arguments: decoded.append(len(made := read(*arguments))) or made,
    )
    pair = one(dataset, "object_removal")
    assert decoded == []  # opening reads no video
    pair.frames("source", 2, 3)
    assert decoded == [3]
    assert pair.source is pair.source  # and a whole side is decoded once
    assert decoded == [3, FRAMES]


def test_what_is_kept_is_read_only_and_what_is_not_is_the_callers(dataset):
    pair = one(dataset, "object_removal")
    for part in ("source", "target", "mask", "difference"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(pair, part)[0] = 0
        pair.frames(part, 0, 1)[0] = 0


def test_tensors_are_the_frames_with_channels_first(dataset):
    torch = pytest.importorskip("torch")
    pair = one(dataset, "object_removal")
    tensor = pair.tensor("source", 0, 5)
    assert tensor.shape == (5, 3, HEIGHT, WIDTH)
    assert tensor.dtype == torch.uint8
    np.testing.assert_array_equal(tensor[2, 1].numpy(), pair.source[2, ..., 1])
    mask = pair.tensor("mask")
    assert mask.shape == (FRAMES, 1, HEIGHT, WIDTH)
    assert mask.dtype == torch.bool
    np.testing.assert_array_equal(mask[:, 0].numpy(), pair.mask)


def test_without_torch_a_tensor_says_what_to_install(dataset, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(editmill.EditmillError, match="pip install torch"):
        one(dataset, "upscaling").tensor("source")


def test_the_facts_of_the_row(dataset):
    pair = dataset.sample(keep=False)[0]
    row = dataset.pairs().filter(~pl.col("keep")).collect().row(0, named=True)
    assert (pair.id, pair.task, pair.instruction) == (
        row["pair_id"], row["task"], row["instruction"],
    )  # fmt: skip
    assert (pair.keep, pair.reason) == (False, "subtle")
    assert pair.scores == {
        "construction": None, "quality": 0.75, "alignment": None, "subtle": 0.5
    }  # fmt: skip
    assert repr(pair).startswith(f"<PairSample {pair.id[:12]} global_style_transfer, rejected")


def test_a_pair_is_found_by_how_its_id_begins(dataset):
    ids = dataset.pairs().collect()["pair_id"].to_list()
    assert [dataset.pair(pair_id).id for pair_id in ids] == ids
    assert dataset.pair(ids[0][:10]).id == ids[0]


@pytest.mark.parametrize(
    ("asked", "told"),
    [("xyz", "no pair begins"), ("-1", "no pair begins"), ("", "several pairs begin")],
)
def test_no_pair_or_several(dataset, asked, told):
    with pytest.raises(editmill.EditmillError, match=f"{told} with that id; .editmill query"):
        dataset.pair(asked)


def test_a_sample_follows_from_its_seed(root):
    def drawn(seed, **how):
        return [pair.id for pair in editmill.open(root, ref="v1").sample(seed=seed, **how)]

    assert drawn(0, keep=None) == drawn(0, keep=None)
    assert len({tuple(drawn(seed, keep=None)) for seed in range(8)}) > 1
    assert drawn(3, keep=None, n=2) == drawn(3, keep=None)[:2]


def test_a_sample_holds_what_was_asked_for(dataset):
    assert {pair.keep for pair in dataset.sample()} == {True}
    assert [pair.keep for pair in dataset.sample(keep=False)] == [False]
    assert len(dataset.sample(keep=None)) == 4
    styles = dataset.sample(task="global_style_transfer", keep=None)
    assert [pair.task for pair in styles] == ["global_style_transfer"] * 2
    assert len(dataset.sample(n=2)) == 2
    assert dataset.sample(n=0) == []


def test_a_sample_that_cannot_be(dataset, tmp_path):
    with pytest.raises(editmill.EditmillError, match=r"'swap'; did you mean object_swap\?"):
        dataset.sample(task="swap")
    empty = editmill.open(tmp_path / "empty", create=True)
    with pytest.raises(editmill.EditmillError, match="'zzzz'; there are: object_removal, "):
        empty.sample(task="zzzz")


@pytest.mark.parametrize("task", [None, "deblur", "deletion"])
def test_a_sample_of_a_task_without_pairs_is_empty(task, dataset, tmp_path):
    assert editmill.open(tmp_path / "empty", create=True).sample(task=task) == []
    assert task is None or dataset.sample(task=task) == []


def test_most_of_a_choice_stays_when_the_table_grows():
    before = choose([str(k) for k in range(100)], 20, seed=1)
    after = choose([str(k) for k in reversed(range(110))], 20, seed=1)
    assert len(set(before)) == 20
    stayed = [one for one in before if one in after]
    assert stayed == before[: len(stayed)]
    assert len(stayed) >= 15
    assert len(choose(["a", "b"], 5, seed=0)) == 2


def test_every_id_is_as_likely_as_another():
    counts = np.zeros(10)
    for seed in range(2000):
        counts[[int(k) for k in choose(map(str, range(10)), 3, seed)]] += 1
    assert np.abs(counts - 600).max() < 5 * np.sqrt(2000 * 0.3 * 0.7)


def test_a_loader_can_hand_pairs_to_its_workers(dataset):
    pair = one(dataset, "object_removal")
    again = pickle.loads(pickle.dumps(pair))
    np.testing.assert_array_equal(again.frames("source", 0, 2), pair.frames("source", 0, 2))


def test_a_missing_video_is_named(tmp_path):
    dataset = write_small_catalog(tmp_path / "set")
    pair = one(dataset, "object_removal")
    path = dataset.path(pair.record.source_video)
    path.unlink()
    with pytest.raises(editmill.EditmillError, match=path.name):
        _ = pair.source


def test_local_edits_open_too(dataset):
    edit_id = dataset.local_edits().collect()["edit_id"][0]
    edit = dataset.local_edit(edit_id[:8])
    assert edit.x.shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert not edit.masked[edit.m].any()
    assert edit.captions[0] == "a bar"
    with pytest.raises(editmill.EditmillError, match="no record begins with that id"):
        dataset.local_edit("xyz")


def test_a_catalog_stays_the_same_when_the_process_goes_elsewhere(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root.parent)
    here = editmill.open(root.name)
    monkeypatch.chdir(tmp_path)
    assert here.uri == root.name
    (pair,) = here.sample(n=1)
    assert pair.source.ndim == 4
    assert here.pairs().collect().height > 0


def test_a_pair_equals_itself_however_it_was_opened(dataset, root):
    pair = one(dataset, "object_removal")
    again = editmill.open(root, "v1").pair(pair.id)
    assert pair == again and len({pair, again}) == 1
    assert pair != one(dataset, "upscaling") and pair != pair.id
    assert pair != editmill.open(root).pair(pair.id)
