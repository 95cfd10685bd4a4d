"""`editmill show` and `sheet`: a pair's way in words, and pairs as pictures."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

import catalog
from catalog import media
from catalog.errors import BadInput
from catalog.keeping.erased import kept_path
from catalog.media.image import read_image
from catalog.provenance import provenance
from catalog.records import Pair
from catalog.report.sheet import BAR, CELL, EMPTY, FRAME_WIDTH, TALL_CELL, many_sheet, pair_sheet
from catalog.report.terminal import half_blocks
from flows.commands.reading.judgements import judgements, thresholds_of
from tests.flows.tiny_training import HEIGHT, WIDTH
from tests.parts import by_key

KNOWN = "f" * 32


def _pair(root: Path, **changes: object) -> Pair:
    return dataclasses.replace(catalog.open(root).pair(KNOWN).record, **changes)  # type: ignore[arg-type]


@pytest.fixture
def masked(root: Path) -> Path:
    """The catalog with its added pair made into an edit of a tracked object."""
    dataset = catalog.open(root)
    pair = _pair(root)
    (track,) = (t for t in dataset.tables.records("tracks") if t.clip_id == pair.clip_id)  # type: ignore[attr-defined]
    pair = dataclasses.replace(pair, mask=track.masks, track_id=track.track_id, label=track.label)
    dataset.tables.put("pairs", by_key([pair]))
    return root


def test_the_way_from_source_to_verdict(editmill, masked: Path):
    told = json.loads(editmill("show", "ffff", "--catalog", masked, "--json"))
    assert told["pair"]["pair_id"] == KNOWN and told["pair"]["keep"] is True
    assert told["source"]["source_id"] == told["pair"]["source_id"]
    assert told["clip"]["clip_id"] == told["pair"]["clip_id"]
    assert told["track"]["label"] == told["pair"]["label"]
    assert set(told["files"]) == {"source", "target", "mask"}
    assert all(Path(path).is_file() for path in told["files"].values())
    assert [each["name"] for each in told["filters"]] == [
        "construction", "quality", "alignment", "subtle",
    ]  # fmt: skip


def test_it_reads_as_lines_in_order(editmill, masked: Path):
    shown = editmill("show", "ffff", "--catalog", masked)
    names = [line[:12].strip() for line in shown.splitlines() if line[:12].strip()]
    assert names[1:] == ["files", "source", "clip", "object", "edit", "instruction", "filters",
                         "verdict"]  # fmt: skip
    assert "tracked over frames 0 to 13" in shown and "Invert it. (template)" in shown


def test_the_provenance_document_is_printed_whole(editmill, masked: Path):
    told = editmill("show", "ffff", "--catalog", masked, "--ref", "v2", "--provenance")
    dataset = catalog.open(masked, ref="v2")
    assert json.loads(told) == provenance(dataset, KNOWN) and told.count("\n") > 20
    line = editmill("show", "ffff", "--catalog", masked, "--ref", "v2", "--provenance", "--json")
    assert json.loads(line) == json.loads(told) and line.count("\n") == 1


def test_the_licence_of_the_output_is_shown(editmill, masked: Path):
    assert "output under" not in editmill("show", "ffff", "--catalog", masked)
    licensed = _pair(masked, output_licence="LicenseRef-X", may_train=False)
    catalog.open(masked).tables.put("pairs", by_key([licensed]))
    shown = editmill("show", "ffff", "--catalog", masked)
    assert "output under LicenseRef-X, may not train a model" in shown


def test_each_score_stands_against_the_threshold_of_its_release(root: Path):
    dataset = catalog.open(root, ref="v2")
    lines = [line for line in thresholds_of(dataset) if line.score != "alignment"]
    deblur = {j["name"]: j for j in judgements(_pair(root, subtle_score=0.6), lines)}
    assert deblur["quality"] == {
        "name": "quality", "score": 0.9, "rule": "≥ 0.700", "passed": True, "reason": "",
    }  # fmt: skip
    assert deblur["subtle"]["rule"] == "≤ 0.500"
    assert deblur["construction"] == {
        "name": "construction", "score": None, "rule": "", "passed": None, "reason": "",
    }  # fmt: skip
    failed = _pair(
        root, task="global_style_transfer", quality_score=0.2, quality_reason="edit_failed"
    )
    (quality,) = (j for j in judgements(failed, lines) if j["name"] == "quality")
    assert (quality["rule"], quality["passed"]) == ("≥ 0.800", False)
    aside = _pair(root, quality_score=0.2, quality_reason="abstained")
    assert judgements(aside, lines)[1]["passed"] is None


def test_a_pair_whose_rows_are_gone_is_still_shown(editmill, root: Path):
    dataset = catalog.open(root)
    dataset.tables.drop("clips", [_pair(root).clip_id])
    dataset.tables.drop("sources", [_pair(root).source_id])
    told = json.loads(editmill("show", "ffff", "--catalog", root, "--json"))
    assert told["clip"] is None and told["source"] is None
    assert "its row is gone" in editmill("show", "ffff", "--catalog", root)


def test_the_sheet_of_a_pair_shows_its_sides_and_mask(editmill, masked: Path, tmp_path: Path):
    out, again = tmp_path / "a.png", tmp_path / "b.png"
    for path in (out, again):
        told = json.loads(editmill("show", "ffff", "--catalog", masked, "--png", path, "--json"))
        assert told["png"] == str(path)
    assert out.read_bytes() == again.read_bytes()
    picture = read_image(out)
    height = round(FRAME_WIDTH * HEIGHT / WIDTH)
    assert picture.shape == (6 * BAR + 3 * height, 5 * FRAME_WIDTH, 3)
    rows = [
        picture[(k + 3) * BAR + k * height : (k + 3) * BAR + (k + 1) * height] for k in range(3)
    ]
    # The target is the source's negative, and the mask is black and white.
    assert np.abs(rows[0].astype(int) + rows[1] - 255).mean() < 6
    mask = rows[2]
    assert ((mask < 40) | (mask > 215)).mean() > 0.9 and 0.005 < (mask > 215).mean() < 0.5
    # and the disc moves: it is elsewhere in the last frame
    first, last = mask[:, :FRAME_WIDTH], mask[:, -FRAME_WIDTH:]
    assert np.abs(np.argwhere(first > 215).mean(0) - np.argwhere(last > 215).mean(0)).max() > 10


def test_a_small_object_is_seen_close_by_in_a_sheet_of_many(root: Path):
    dataset, pair = catalog.open(root), _pair(root)
    masks = np.zeros((pair.target_frames, HEIGHT, WIDTH), bool)
    masks[:, HEIGHT // 2 : HEIGHT // 2 + HEIGHT // 8, : WIDTH // 8] = True
    with dataset.media.writing(".mkv") as draft:
        media.write_masks(draft.path, masks, 25)
    close, far = (
        many_sheet([dataclasses.replace(pair, mask=mask)], dataset.path).picture[
            2 * BAR : 2 * BAR + CELL[0]
        ]
        for mask in (draft.ref, "")
    )
    first, later = slice(0, 2 * CELL[1]), slice(2 * CELL[1], 3 * CELL[1])
    assert (close[:, first] == far[:, first]).all()
    part = far[:, later][int(0.4375 * CELL[0]) : int(0.6875 * CELL[0]), : CELL[1] // 4]
    expected = cv2.resize(part, (CELL[1], CELL[0]))
    assert np.abs(close[:, later].astype(int) - expected).mean() < 12
    assert np.abs(far[:, later].astype(int) - expected).mean() > 20
    gone = dataclasses.replace(pair, mask=f"media/00/{'0' * 64}.mkv")
    assert (many_sheet([gone], dataset.path).picture[2 * BAR :][: CELL[0]] == far).all()


def test_a_tall_pair_is_shown_as_large_as_a_wide_one(root: Path):
    """Also beside a wide one, and in a block of its own height."""
    dataset, wide = catalog.open(root), _pair(root)
    with dataset.media.writing(".mp4") as draft:
        media.write_video(draft.path, np.full((8, 2 * WIDTH, WIDTH, 3), 40, np.uint8), 25)
    tall = dataclasses.replace(wide, source_video=draft.ref, target_video=draft.ref, mask="")
    sheet = many_sheet([wide, tall], dataset.path).picture
    assert sheet.shape[0] == many_sheet([tall], dataset.path).picture.shape[0]
    block = sheet[2 * BAR :, -4 * TALL_CELL[1] :]
    shown = np.argwhere((block[:, : TALL_CELL[1]] < 60).all(axis=-1))
    assert (np.ptp(shown, axis=0) + 1 == (TALL_CELL[0], TALL_CELL[0] // 2)).all()
    alone = many_sheet([wide], dataset.path).picture[:-8]
    assert (sheet[: 2 * BAR + CELL[0], : 4 * CELL[1]] == alone).all()


def test_missing_media_are_told_in_the_picture(root: Path):
    dataset, pair = catalog.open(root), _pair(root)
    gone = dataclasses.replace(pair, target_video=f"media/00/{'0' * 64}.mp4")
    whole, partly = pair_sheet(pair, dataset.path).picture, pair_sheet(gone, dataset.path).picture
    assert partly.shape[1] == whole.shape[1] and partly.shape[0] < whole.shape[0]
    assert (
        many_sheet([gone], dataset.path).picture.shape
        == many_sheet([pair], dataset.path).picture.shape
    )
    below = slice(3 * BAR, 5 * BAR)  # words about the pair, names, and a line of why come before
    told = many_sheet([gone], dataset.path).picture[below, CELL[1] : 2 * CELL[1]]
    assert (told != EMPTY).any()  # all of why, not only the file's name


def test_missing_media_are_told_beside_the_picture(editmill, root: Path, tmp_path: Path):
    dataset, pair = catalog.open(root), _pair(root)
    lost = dataset.path(pair.target_video)
    sheet, out = ("sheet", "--catalog", root, "--out", tmp_path / "a.png"), tmp_path / "b.png"
    show = ("show", KNOWN, "--catalog", root, "--png", out)
    assert "grey" not in editmill(*sheet) and editmill(*show).endswith(f"{out}\n")
    lost.unlink()
    assert re.search(rf"2 kept pairs, 1 with grey cells .* first: {lost}: .*\n", editmill(*sheet))
    assert str(lost) in json.loads(editmill(*sheet, "--json"))["unreadable"][KNOWN]
    assert re.search(rf"{out}\n +no target: {lost}: .*\n\Z", editmill(*show))
    assert list(json.loads(editmill(*show, "--json"))["unreadable"]) == ["target"]


def test_random_pairs_as_one_picture(editmill, refused, root: Path, tmp_path: Path):
    out = tmp_path / "kept.png"
    told = json.loads(editmill("sheet", "--out", out, "--catalog", root, "--json"))
    kept = catalog.open(root).pairs().filter(keep=True).collect()["pair_id"].to_list()
    assert sorted(told["pairs"]) == sorted(kept) and len(kept) == 2
    one = tmp_path / "one.png"
    editmill("sheet", "--out", one, "--catalog", root, "--n", 1, "--task", "deblur")
    assert read_image(one).shape[1] < read_image(out).shape[1]
    rejected = json.loads(
        editmill("sheet", "--rejected", "--out", one, "--catalog", root, "--json")
    )
    assert not set(rejected["pairs"]) & set(kept) and rejected["pairs"]
    assert "name it *.png" in refused("sheet", "--out", tmp_path / "x.jpg", "--catalog", root)
    assert "'debur'; did you mean deblur?" in refused(
        "sheet", "--out", one, "--task", "debur", "--catalog", root
    )
    assert "no rejected pair of deblur" in refused(
        "sheet", "--rejected", "--out", one, "--task", "deblur", "--catalog", root
    )


def test_a_seed_gives_the_same_bytes_and_another_other_pairs(editmill, root: Path, tmp_path: Path):
    paths = [tmp_path / f"{k}.png" for k in range(3)]
    drawn = [
        json.loads(
            editmill("sheet", "--out", path, "--catalog", root, "--n", 1, "--seed", seed, "--json")
        )["pairs"]
        for path, seed in zip(paths, (0, 0, 1), strict=True)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert paths[0].read_bytes() == paths[1].read_bytes() != paths[2].read_bytes()


def test_ids_that_name_no_pair_or_several(refused, root: Path):
    assert "no pair begins with that id" in refused("show", "zz", "--catalog", root)
    assert "name it *.png" in refused("show", "ffff", "--catalog", root, "--png", "x.gif")


def test_half_blocks_are_two_pixels_a_character():
    picture = np.zeros((4, 2, 3), np.uint8)
    picture[0], picture[1] = (1, 2, 3), (4, 5, 6)
    upper, lower = half_blocks(picture, 10).splitlines()
    assert upper == "\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m▀" * 2 + "\x1b[0m"
    assert lower.count("▀") == 2


def test_half_blocks_keep_the_shape_and_fit_the_terminal():
    lines = half_blocks(np.zeros((90, 160, 3), np.uint8), 80).splitlines()
    assert len(lines) == 22 and {line.count("▀") for line in lines} == {80}


def test_media_that_were_erased_with_their_source(editmill, root: Path, tmp_path: Path):
    pair = catalog.open(root, ref="v2").pair(KNOWN).record
    editmill("forget", pair.source_id, "--catalog", root, "--yes", "--erase")
    dataset = catalog.open(root, ref="v2")
    assert not dataset.path(pair.target_video).exists()
    path = kept_path(dataset.media)
    with pytest.raises(BadInput, match=r"was erased: its source '.*' was taken out") as told:
        path(pair.target_video)
    shown = editmill("show", KNOWN, "--catalog", root, "--ref", "v2")
    assert f"target {told.value}\n" in shown

    one, several = tmp_path / "one.png", tmp_path / "several.png"
    editmill("show", KNOWN, "--catalog", root, "--ref", "v2", "--png", one)
    assert np.array_equal(read_image(one), pair_sheet(pair, path).picture)
    assert not np.array_equal(read_image(one), pair_sheet(pair, dataset.path).picture)
    editmill("sheet", "--out", several, "--catalog", root, "--ref", "v2", "--n", 20)
    pairs = dataset.pairs().filter(keep=True).sort("task", "pair_id").collect()
    records = [dataset.pair(each).record for each in pairs["pair_id"]]
    assert np.array_equal(read_image(several), many_sheet(records, path).picture)
    assert not np.array_equal(read_image(several), many_sheet(records, dataset.path).picture)
