"""What Wan-VACE is given: polarity, known frames, windows; and a first frame carried through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from catalog.errors import BadInput, EditmillError
from experts.annotate.maps.edges import Hed
from experts.base import EditRequest, Frames, Masks
from experts.edit.first_frame.editor import ImageEditRequest
from experts.edit.first_frame.flux2_klein import Flux2Klein
from experts.edit.first_frame.flux_fill import FluxFill
from experts.edit.video.painting import GENERATED, Painting, painting
from experts.edit.video.structure import StructureMap
from experts.edit.video.wan_vace import GREY, WanVACE
from experts.edit.video.windows import ClipWindow
from tests.checkpoints import flux2_klein, flux_fill, wan_vace

FRAMES, HEIGHT, WIDTH = 7, 64, 96


class Recording(WanVACE):
    """Paints white where the model would, and keeps what it was given."""

    given: list[tuple[Frames, Masks, int]]

    def load(self) -> None: ...

    def _window(
        self, window: ClipWindow, given: Frames, masks: Masks, asked: Painting, seed: int
    ) -> Frames:
        self.given.append((given[window.indices], masks[window.indices], seed))
        return np.full_like(given[window.start : window.stop], 255)


class Green:
    """Stands for an image editor: paints the mask green."""

    name, version = "green", "1"
    output_licence = None

    def load(self) -> None: ...

    def close(self) -> None: ...

    def edit_image(self, request: ImageEditRequest) -> Any:
        self.asked = request
        image = request.image.copy()
        image[... if request.mask is None else request.mask] = (0, 255, 0)
        return image


def recording(first_frame: Any = None, **options: Any) -> Recording:
    expert = Recording(
        first_frame, **{"frames": 5, "overlap": 1, "structure": "gray", "device": "cpu"} | options
    )
    expert.given = []
    return expert


def request_for(task: str, **params: Any) -> EditRequest:
    frames = np.random.default_rng(1).integers(0, 200, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    masks[:, 16:48, 32:64] = True
    whole = task == "global_style_transfer"
    return EditRequest(
        task, frames, None if whole else masks, "a watercolor", label="car", seed=9, params=params
    )


def test_white_is_painted_and_grey_in_the_video() -> None:
    expert, request = recording(), request_for("object_removal")
    result = expert.edit(request)
    (given, masks, seed), (_, later, other) = expert.given
    assert masks[0, 20, 40] and not masks[0, 0, 0]
    assert (given[masks] == GREY).all()
    assert np.array_equal(given[~masks], request.frames[:5][~masks])
    assert seed == 9 and other != 9
    assert not later[:3].any() and later[3:].any(axis=(1, 2)).all()  # three are made already
    assert result.masks is not None and (result.frames[:, 32, 48] == 255).all()


def test_a_window_goes_on_from_the_frames_before() -> None:
    expert = recording()
    expert.edit(request_for("object_removal"))
    given, masks, _ = expert.given[1]
    assert len(given) == 5 and not masks[:3].any() and masks[3:].any()
    assert (given[0, 32, 48] == 255).all()  # as the first window painted it


def test_the_first_frame_is_known_and_carried() -> None:
    green = Green()
    expert, request = recording(green), request_for("object_swap", replacement="bus")
    result = expert.edit(request)
    given, masks, _ = expert.given[0]
    assert not masks[0].any() and masks[1].any()
    assert (given[0, 32, 48] == (0, 255, 0)).all() and (given[1, 32, 48] == GREY).all()
    assert green.asked.prompt == "a bus" and green.asked.mask is not None
    assert np.array_equal(green.asked.image, request.frames[0])
    assert result.info["first_frame"] == "green"
    assert expert.output_licence is None  # the editor's is not known
    expert.edit(request_for("object_removal"))
    assert expert.given[-2][1][0].any()  # a removal has no such frame


def test_an_object_that_enters_late_is_painted_where_it_is_first_seen() -> None:
    green, request = Green(), request_for("object_swap", replacement="bus")
    assert request.masks is not None
    request.masks[:3] = False
    result = recording(green, frames=9).edit(request)
    assert np.array_equal(green.asked.image, request.frames[3])
    assert np.array_equal(result.frames[0], request.frames[0])


def test_a_style_follows_the_structure() -> None:
    expert, request = recording(), request_for("global_style_transfer")
    result = expert.edit(request)
    given, masks, _ = expert.given[0]
    assert masks.all() and result.masks is None
    assert np.array_equal(given, StructureMap("gray").of(request.frames[:5]))
    green = Green()
    styled = recording(green)
    styled.edit(request)
    assert green.asked.mask is None and green.asked.prompt.startswith("A watercolor.")
    assert not styled.given[0][1][0].any() and styled.given[0][1][1].all()


@pytest.mark.weights
def test_outlines_are_dark_on_white() -> None:
    frames = np.full((2, 64, 96, 3), 90, np.uint8)
    frames[:, 20:44, 30:66] = 220
    drawn = StructureMap("scribble").of(frames)
    assert drawn.shape == frames.shape
    assert drawn[0, 5, 5, 0] > 230 and drawn[0, 18:23, 48, 0].min() < 100
    assert StructureMap("scribble").slots == Hed.slots
    assert WanVACE(checkpoint="").slots == Hed.slots and recording().slots == ()


def test_nothing_to_paint_is_not_painted() -> None:
    request = request_for("object_removal")
    assert request.masks is not None
    request.masks[5:] = False
    expert = recording()
    result = expert.edit(request)
    assert len(expert.given) == 1
    assert np.array_equal(result.frames[5:], request.frames[5:])


def test_prompts_describe_the_result() -> None:
    def asked(task: str, **params: Any) -> Painting:
        return painting(request_for(task, **params), 0.01, 0.03)

    assert "without any car" in asked("object_removal").prompt
    assert asked("object_removal").negative_prompt.startswith("car, ")
    swap = asked("object_swap", replacement="old bus", caption="A street at noon.")
    assert swap.prompt == "An old bus. A street at noon." and swap.frame_prompt == "an old bus"
    donated = asked("object_swap", donor={"label": "truck"})
    assert donated.frame_prompt == "a truck"
    assert asked("local_style_transfer").structure and not swap.structure
    with pytest.raises(BadInput, match="replacement"):
        asked("object_swap")
    assert "inpainting" not in GENERATED


def test_impossible_windows_are_refused() -> None:
    with pytest.raises(EditmillError, match="`overlap` 5 must be below `frames` 5"):
        WanVACE(frames=5, overlap=5)


def test_the_licence_is_the_stricter_one() -> None:
    fill = FluxFill(checkpoint=f"black-forest-labs/FLUX.1-Fill-dev@{'0' * 40}")
    licence, free = WanVACE(fill).output_licence, WanVACE(Flux2Klein()).output_licence
    assert licence is not None and licence.may_train is False and "FLUX" in licence.name
    assert free is not None and (free.name, free.may_train) == ("Apache-2.0", True)


def test_a_real_image_editors_frame_is_carried(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    options = {
        "checkpoint": str(wan_vace.make(tmp_path / "vace")),
        **{"device": "cpu", "steps": 2, "frames": 5, "overlap": 1},
    }
    klein = Flux2Klein(checkpoint=str(flux2_klein.make(tmp_path / "klein")), steps=1, device="cpu")
    fill = FluxFill(checkpoint=str(flux_fill.make(tmp_path / "fill")), steps=1, device="cpu")
    request = replace(request_for("object_swap", replacement="bus"))
    alone, by_klein, by_fill = (WanVACE(e, **options) for e in (None, klein, fill))
    results = [expert.edit(request) for expert in (alone, by_klein, by_fill)]
    assert len({result.frames.tobytes() for result in results}) == 3
    assert [r.info["first_frame"] for r in results] == ["", "flux2_klein", "flux_fill"]
    assert len({expert.version for expert in (alone, by_klein, by_fill)}) == 3
