"""What a removal looks at, and measures again: enough, and no more."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from experts.annotate.motion.camera import Transform
from experts.base import EditRequest, Frames, Masks
from experts.edit.remover import Remover
from experts.edit.remover import remover as removal
from experts.edit.remover.background_flow import camera_flow, camera_steps, measure, measure_again
from experts.edit.remover.view import ALIGNED_PX, LEAST_MARGIN_PX, View, view_of
from tests.experts.edit.test_remover import psnr, texture

HEIGHT, WIDTH, COUNT = 240, 400, 6
WHOLE = View(0, HEIGHT, 0, WIDTH)


def holes(*, size: int = 24, left: int = 60, speed: int = 8) -> Masks:
    masks = np.zeros((COUNT, HEIGHT, WIDTH), bool)
    for t in range(COUNT):
        masks[t, 110 : 110 + size, left + speed * t : left + speed * t + size] = True
    return masks


def pan(x: float, y: float = 0.0) -> list[Transform]:
    step = np.eye(3)
    step[:2, 2] = x, y
    return [step] * (COUNT - 1)


def area(view: View) -> float:
    return (view.bottom - view.top) * (view.right - view.left) / (HEIGHT * WIDTH)


@pytest.mark.parametrize("x", [0.0, 6.0, -11.5])
def test_every_frame_shows_within_it_what_any_hole_hides(x: float) -> None:
    masks, steps = holes(), pan(x, x / 4)
    view = view_of(masks, steps)
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[view.top : view.bottom, view.left : view.right] = True
    for t in range(COUNT):
        for s in range(COUNT):
            shift = np.array([[1, 0, x * (s - t)], [0, 1, x / 4 * (s - t)]], np.float64)
            moved = cv2.warpAffine(masks[t].astype(np.uint8), shift, (WIDTH, HEIGHT)) > 0
            near = cv2.dilate(moved.astype(np.uint8), np.ones((2 * LEAST_MARGIN_PX - 3,) * 2)) > 0
            assert not (near & ~inside).any()
    assert area(view) < 0.8
    assert view.top % ALIGNED_PX == view.left % ALIGNED_PX == 0


def test_of_a_large_object_all_is_looked_at() -> None:
    assert view_of(holes(size=100), pan(0)) == WHOLE


def test_what_the_camera_has_left_behind_asks_for_nothing() -> None:
    masks = holes()
    masks[1:] = False
    before = view_of(masks[:1], [])
    assert view_of(masks, pan(0.0, 300.0)) == before  # in the next frame it is below the picture
    assert area(view_of(masks, pan(40.0))) > area(before)


def test_a_camera_moves_in_it_as_in_the_whole_picture() -> None:
    turn = np.eye(3)
    turn[:2] = cv2.getRotationMatrix2D((30, 200), 2.0, 1.01)
    turn[2, :2] = 1e-5, -2e-5
    view = View(40, 200, 80, 320)
    (part,) = camera_flow(view.steps([turn]), (160, 240)).forward
    (whole,) = camera_flow([turn], (HEIGHT, WIDTH)).forward
    assert np.abs(part - view.of(whole[None])[0]).max() < 1e-3
    (standing,) = camera_flow(view.steps([np.eye(3)]), (160, 240)).forward
    assert not standing.any()


def panned(speed: int) -> Frames:
    canvas = texture(HEIGHT, WIDTH + 200)
    return np.stack([canvas[:, speed * t : speed * t + WIDTH] for t in range(COUNT)])


@pytest.mark.weights
@pytest.mark.parametrize("speed", [0, 5])
def test_a_fill_is_as_good_as_with_the_whole_picture(
    speed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, masks = panned(speed), holes()
    frames = truth.copy()
    frames[masks] = (250, 20, 20)
    request = EditRequest("object_removal", frames, masks)
    looked_at: list[View] = []

    def noted(*given: object) -> View:
        looked_at.append(view_of(*given))  # type: ignore[arg-type]
        return looked_at[-1]

    monkeypatch.setattr(removal, "view_of", noted)
    part = Remover().remove(request)
    assert area(looked_at[0]) < 0.8
    monkeypatch.setattr(removal, "view_of", lambda *_: WHOLE)
    whole = Remover().remove(request)
    assert (part.holes == whole.holes).all() and (part.inpainted == whole.inpainted).all()
    assert (part.frames[~part.holes] == frames[~part.holes]).all()
    as_good = psnr(whole.frames, truth, part.holes) - 0.5
    assert psnr(part.frames, truth, part.holes) > as_good
    assert part.info["fill_error"] == pytest.approx(whole.info["fill_error"], abs=1.0)


@pytest.mark.parametrize("speed", [3, 20])
def test_flow_is_measured_again_around_what_changed_alone(speed: int) -> None:
    truth, changed = panned(speed), holes()
    frames = truth.copy()
    for t in range(COUNT):  # what moves there has a texture of its own
        frames[t][changed[t]] = texture(24, 24, seed=1).reshape(-1, 3)
    steps = camera_steps(frames, changed)
    before = measure(frames, camera_flow(steps, (HEIGHT, WIDTH)))
    there = [each.copy() for each in before.there]
    again = measure_again(before, truth, changed)
    for t, flow in enumerate(again.there):
        hole = changed[t] | changed[t + 1]
        off, was_off = (np.abs(each[hole] - (-speed, 0)).mean() for each in (flow, there[t]))
        assert off < 0.25 and was_off > 2 * off
        reach = LEAST_MARGIN_PX + 2 * speed
        far = cv2.dilate(hole.astype(np.uint8), np.ones((2 * reach + 1,) * 2)) == 0
        assert far.any() and (flow[far] == there[t][far]).all()
