"""SAM 2's network by its package, held against transformers' and against the package's own loop."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from experts.annotate.tracking.predictors.sam2_checkpoint import open_predictor
from experts.annotate.tracking.predictors.sam2_memory import ObjectMemory, VideoMemory
from experts.annotate.tracking.segment import MEAN, STD
from experts.threads import one_for_torch
from tests.checkpoints import sam2_video

pytest.importorskip("sam2")
transformers = pytest.importorskip("transformers")

FRAMES, HEIGHT, WIDTH = 20, 90, 128
BOXES = ((10.0, 10.0, 70.0, 60.0), (40.0, 30.0, 120.0, 85.0))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sam2_video.make(tmp_path_factory.mktemp("sam2"))


@pytest.fixture(scope="module")
def predictor(checkpoint: Path) -> Any:
    one_for_torch()
    return open_predictor(checkpoint, "cpu")


@pytest.fixture(scope="module")
def reference(checkpoint: Path) -> Any:
    return transformers.Sam2VideoModel.from_pretrained(checkpoint, use_safetensors=True).eval()


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """Noise that drifts, so that each frame has its own features."""
    noise = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return np.stack([np.roll(noise, 3 * t, axis=1) for t in range(FRAMES)])


def pixels(frame: np.ndarray) -> torch.Tensor:
    square = cv2.resize(frame, (sam2_video.SIDE,) * 2, interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(((square.astype(np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1))


def test_both_libraries_see_the_same_in_a_frame(
    predictor: Any, reference: Any, frames: np.ndarray
) -> None:
    image = pixels(frames[0])[None]
    with torch.inference_mode():
        ours = predictor.forward_image(image)["backbone_fpn"]
        theirs = reference.get_image_embeddings(image)
        # That one adds the embedding of an empty memory already.
        theirs[-1] = theirs[-1] - reference.no_memory_embedding.reshape(1, -1, 1, 1)
    assert [each.shape for each in ours] == [each.shape for each in theirs]
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, atol=1e-4, rtol=0)


def test_both_libraries_follow_an_object_alike(
    predictor: Any, reference: Any, checkpoint: Path, frames: np.ndarray
) -> None:
    """Mask logits of a box on the first frame and of all frames after, memories included."""
    processor = transformers.Sam2VideoProcessor.from_pretrained(checkpoint)
    session = processor.init_video_session(inference_device="cpu", dtype=torch.float32)
    theirs = []
    for number, frame in enumerate(frames[:10]):
        session.add_new_frame(pixels(frame), number)
    processor.add_inputs_to_inference_session(
        session, 0, 1, input_boxes=[[list(BOXES[0])]], original_size=(HEIGHT, WIDTH)
    )
    with torch.inference_mode():
        for number in range(10):
            theirs.append(reference(session, frame_idx=number).pred_masks)

    ours = Recorder(predictor)
    memory = VideoMemory(ours, frames[:10], torch.float32)
    memory.show(0)
    _, remembered = memory.prompt(BOXES[0])
    for number in range(1, 10):
        memory.show(number)
        memory.follow(remembered)
    assert len(ours.logits) == len(theirs)
    assert max(float(each.abs().max()) for each in theirs) > 0.1  # else nothing is compared
    for own, other in zip(ours.logits, theirs, strict=True):
        torch.testing.assert_close(own, other, atol=1e-4, rtol=0)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
def test_a_bounded_memory_gives_the_masks_of_an_unbounded_one(
    predictor: Any, frames: np.ndarray, reverse: bool
) -> None:
    """The package's `propagate_in_video` keeps every frame's outputs; both give the same masks."""
    first = FRAMES - 1 if reverse else 0
    state = unbounded(predictor, frames)
    for number, box in enumerate(BOXES):
        predictor.add_new_points_or_box(state, first, number, box=box)
    expected = {
        frame: logits[:, 0] > 0
        for frame, _, logits in predictor.propagate_in_video(state, first, reverse=reverse)
    }
    recorder = Recorder(predictor)
    memory = VideoMemory(recorder, frames, torch.float32, reverse)
    memory.show(first)
    remembered = [memory.prompt(box)[1] for box in BOXES]
    for frame in sorted(set(expected) - {first}, reverse=reverse):
        memory.show(frame)
        for each in remembered:
            memory.follow(each)
    assert len(expected) == FRAMES
    order = sorted(expected, reverse=reverse)
    for place, logits in enumerate(recorder.logits):
        frame, number = order[place // 2], place % 2
        full = torch.nn.functional.interpolate(logits, (HEIGHT, WIDTH), mode="bilinear")[0, 0] > 0
        assert torch.equal(full, expected[frame][number]), f"object {number}, frame {frame}"


def test_a_memory_does_not_grow_with_the_clip(predictor: Any, frames: np.ndarray) -> None:
    memory = VideoMemory(predictor, frames, torch.float32)
    memory.show(0)
    _, remembered = memory.prompt(BOXES[0])
    sizes = []
    for frame in range(1, FRAMES):
        memory.show(frame)
        memory.follow(remembered)
        sizes.append(sum("maskmem_features" in each for each in remembered.followed.values()))
    assert len(remembered.followed) == predictor.max_obj_ptrs_in_encoder - 1
    assert sizes[:6] == [1, 2, 3, 4, 5, 6]
    assert set(sizes[6:]) == {predictor.num_maskmem - 1}
    assert min(remembered.followed) == FRAMES - (predictor.max_obj_ptrs_in_encoder - 1)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
def test_a_window_keeps_the_nearest_frames(reverse: bool) -> None:
    memory = ObjectMemory(prompted={})
    frames = list(range(30))[:: -1 if reverse else 1]
    for frame in frames:
        memory.remember(frame, {"maskmem_features": frame, "obj_ptr": frame}, 6, 15)
    assert sorted(memory.followed) == sorted(frames[-15:])
    whole = [frame for frame, kept in memory.followed.items() if "maskmem_features" in kept]
    assert sorted(whole) == sorted(frames[-6:])
    assert all(kept["obj_ptr"] == frame for frame, kept in memory.followed.items())


def test_what_a_memory_is_given_is_not_changed(predictor: Any, frames: np.ndarray) -> None:
    before = frames.copy()
    memory = VideoMemory(predictor, frames, torch.float32)
    memory.show(4)
    found, _ = memory.prompt(BOXES[1])
    assert found.mask.shape == (HEIGHT, WIDTH)
    assert found.mask.dtype == bool
    assert 0 <= found.confidence <= 1
    np.testing.assert_array_equal(frames, before)


class Recorder:
    """The predictor, and the mask logits that it gave, in order."""

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor
        self.logits: list[torch.Tensor] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._predictor, name)

    def track_step(self, **given: Any) -> dict[str, Any]:
        output: dict[str, Any] = self._predictor.track_step(**given)
        self.logits.append(output["pred_masks"].clone())
        return output


def unbounded(predictor: Any, frames: np.ndarray) -> dict[str, Any]:
    """What the package's `init_state` makes of a folder of JPEGs, of these frames."""
    device = torch.device("cpu")
    return {
        "images": [pixels(frame) for frame in frames],
        "num_frames": len(frames),
        "offload_video_to_cpu": True,
        "offload_state_to_cpu": False,
        "video_height": frames.shape[1],
        "video_width": frames.shape[2],
        "device": device,
        "storage_device": device,
        "point_inputs_per_obj": {},
        "mask_inputs_per_obj": {},
        "cached_features": {},
        "constants": {},
        "obj_id_to_idx": OrderedDict(),
        "obj_idx_to_id": OrderedDict(),
        "obj_ids": [],
        "output_dict_per_obj": {},
        "temp_output_dict_per_obj": {},
        "frames_tracked_per_obj": {},
    }
