"""Videos that a user hands to `judge`, `evaluate` and `edit`: what belongs together, and what must
not be written over."""

import logging
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from catalog.errors import BadInput, EditmillError
from catalog.media import sides
from catalog.records import SCORES
from experts.base import EditResult
from filters.base import Verdict
from flows.commands.video import edit as edit_one
from flows.commands.video import judge as judge_one
from flows.commands.video.arguments import EditArguments


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch):
    """`judged(source, target, mask)`: the sample that the filters are shown."""
    shown = []

    def judge(samples, filters, encoder):
        shown.extend(samples)
        return [dict.fromkeys(SCORES, Verdict(True, 1.0, ""))]

    monkeypatch.setattr(judge_one, "judge", judge)
    monkeypatch.setattr(judge_one, "filters_for", lambda rules, encoder: [])

    def call(source: Path, target: Path, mask: str | None = None, task: str = "object_removal"):
        verdicts = judge_one.judge_pair(
            source, target, task=task, instruction="Remove it.", prompt="", mask=mask
        )
        assert verdicts["keep"]
        return shown.pop()

    return call


@pytest.mark.parametrize(
    ("frames", "height", "width", "reason"),
    [(39, 96, 128, "length_mismatch"), (20, 96, 128, "length_mismatch"),
     (40, 128, 128, "shape_mismatch")],
)  # fmt: skip
def test_sides_of_other_length_or_shape_are_refused(
    judged, write, scene, frames: int, height: int, width: int, reason: str
):
    source = write("source.mp4", scene(40, 96, 128))
    target = write("target.mp4", scene(frames, height, width))
    with pytest.raises(BadInput, match=r"source\.mp4.*target\.mp4") as error:
        judged(source, target)
    assert error.value.reason == reason


def test_sides_of_one_shape_are_judged_at_the_targets_size(judged, write, scene):
    source, target = write("source.mp4", scene(8, 192, 256)), write("target.mp4", scene(8, 96, 128))
    sample = judged(source, target)
    assert sample.source.shape == sample.target.shape == (*sample.target.shape[:1], 96, 128, 3)
    assert sample.mask is not None


def test_one_file_on_both_sides_is_judged(judged, write, scene):
    source = write("source.mp4", scene(8, 96, 128))
    judged(source, source)


def test_a_single_frame_is_too_short(judged, write, scene):
    source = write("source.mp4", scene(1, 96, 128))
    with pytest.raises(BadInput) as error:
        judged(source, source)
    assert error.value.reason == "too_short"


def test_a_source_may_be_as_small_as_that_of_an_upscaling_pair(write, scene):
    source, target = write("a.mp4", scene(4, 44, 80)), write("b.mp4", scene(4, 180, 320))
    assert sides.probe(source, target)[0].height == 44
    for small, large in ((target, source), (write("c.mp4", scene(4, 18, 32)), target)):
        with pytest.raises(BadInput, match="too small; use a video of at least") as error:
            sides.probe(small, large)
        assert error.value.reason == "too_small"


def test_what_both_sides_are(write, scene):
    source, target = write("a.mp4", scene(4, 192, 256)), write("b.mp4", scene(4, 96, 128))
    before, after = sides.probe(source, target)
    assert (before.width, after.width) == (256, 128)


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("size", [(640, 360), (592, 336), (854, 480), (1080, 1920), (650, 358)])
def test_the_small_side_of_an_upscaling_pair_is_one(size: tuple[int, int], factor: int):
    small = tuple(2 * round(length / factor / 2) for length in size)
    assert sides.one_shape(small, size) and sides.one_shape(size, small)


@pytest.mark.parametrize(("one", "other"), [((80, 44), (80, 60)), ((640, 360), (640, 376))])
def test_another_picture_is_none(one: tuple[int, int], other: tuple[int, int]):
    assert not sides.one_shape(one, other)


def edited(
    expert_says: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    given: EditArguments,
    brighter: int = 60,
):
    """The edit of an expert that lightens what it is given and says this of it."""
    expert = SimpleNamespace(
        edit=lambda request: EditResult(
            np.minimum(request.frames, 255 - brighter) + np.uint8(brighter), None, expert_says
        )
    )
    monkeypatch.setattr(edit_one, "embedded", lambda task: expert)
    return edit_one.edit(given)


@pytest.mark.parametrize(("error", "told"), [(-15.2, True), (-24.0, False)])
def test_an_edit_that_a_build_would_refuse_is_made_and_told(
    error: float, told: bool, write, scene, tmp_path: Path, monkeypatch, caplog
):
    masks = np.zeros((4, 96, 128), np.uint8)
    masks[:, 20:60, 20:60] = 255
    video, mask = write("in.mp4", scene(4, 96, 128)), write("mask.mp4", np.stack([masks] * 3, -1))
    given = EditArguments("object_removal", video, tmp_path / "out.mp4", mask=str(mask))
    with caplog.at_level(logging.WARNING, "editmill"):
        made = edited({"fill_error": error}, monkeypatch, given)
    assert (tmp_path / "out.mp4").exists() and made["info"] == {"fill_error": error}
    assert ("-15.2 dB" in caplog.text and "plan.max_fill_error" in caplog.text) == told
    assert bool(caplog.text) == told


@pytest.mark.parametrize(("brighter", "told"), [(60, False), (5, True)])
def test_an_edit_that_nobody_would_see_is_told(
    brighter: int, told: bool, write, scene, tmp_path: Path, monkeypatch, caplog
):
    video = write("in.mp4", scene(4, 96, 128))
    given = EditArguments("global_style_transfer", video, tmp_path / "out.mp4", prompt="watercolor")
    with caplog.at_level(logging.WARNING, "editmill"):
        edited({}, monkeypatch, given, brighter)
    assert ("next to nothing has changed" in caplog.text) == told
    assert bool(caplog.text) == told


@pytest.mark.parametrize("grey", [True, False])
def test_grey_footage_has_no_colour_to_restore(
    grey: bool, write, scene, tmp_path: Path, monkeypatch, caplog
):
    frames = scene(4, 96, 128)
    if grey:
        frames = np.repeat(frames[..., :1], 3, axis=3)
    given = EditArguments("colorization", write("in.mp4", frames), tmp_path / "out.mp4")
    with caplog.at_level(logging.WARNING, "editmill"):
        edited({}, monkeypatch, given)
    assert ("is grey already" in caplog.text and "no_colour" in caplog.text) == grey
    assert bool(caplog.text) == grey


def same(path: Path) -> Path:
    return path


def spelled(path: Path) -> Path:
    return path.parent / "." / ".." / path.parent.name / path.name


def linked(path: Path) -> Path:
    link = path.with_name("link.mp4")
    link.symlink_to(path.name)
    return link


def hard(path: Path) -> Path:
    link = path.with_name("hard.mp4")
    os.link(path, link)
    return link


@pytest.mark.parametrize("called", [same, spelled, linked, hard])
@pytest.mark.parametrize("role", ["video", "mask"])
def test_an_edit_never_replaces_what_it_reads(called, role: str, write, scene, tmp_path: Path):
    video = write("in.mp4", scene(4, 96, 128))
    mask = tmp_path / "mask.mp4"
    shutil.copy(video, mask)
    read = {"video": video, "mask": mask}[role]
    before = read.read_bytes()
    with pytest.raises(EditmillError, match=r"would replace .* give another --out"):
        edit_one.edit(EditArguments("object_removal", video, called(read), mask=str(mask)))
    assert read.read_bytes() == before


@pytest.mark.parametrize(("frames", "told"), [(1, "(1 frame, "), (4, "(4 frames, ")])
def test_one_frame_is_no_frames(frames: int, told: str, write, scene, tmp_path: Path, monkeypatch):
    video = write("in.mp4", scene(frames, 96, 128))
    given = EditArguments("deblur", video, tmp_path / "out.mp4")
    assert told in edit_one.describe(edited({}, monkeypatch, given))


def test_what_the_expert_did_is_told_in_words(write, scene, tmp_path: Path, monkeypatch):
    given = EditArguments("deblur", write("in.mp4", scene(4, 96, 128)), tmp_path / "out.mp4")
    says = {"by_flow": 0.71473, "by_telea": 0.0, "waves": [[1, 2]], "kind": "color", "size_px": 5}
    told = edit_one.describe(edited(says, monkeypatch, given))
    assert told.splitlines()[1:] == ["by flow 0.715, by telea 0.0, kind color, size px 5"]
