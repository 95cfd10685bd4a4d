"""A small catalog of pairs whose every frame tells its time: a white bar wanders from left to
right, so that its place in the picture is the share of the video that has been shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catalog.media import MediaStore, write_masks, write_video
from catalog.records import Pair
from catalog.report import (
    FailureLine,
    ModelLine,
    StageLine,
    Summary,
    TaskLine,
    ThresholdLine,
)

BAR = 0.1
"""The bar's width as a share of the picture's."""


def wandering_bar(frames: int, height: int, width: int, background: int = 40) -> np.ndarray:
    video = np.full((frames, height, width, 3), background, np.uint8)
    bar = round(width * BAR)
    for k in range(frames):
        left = round((width - bar) * k / (frames - 1))
        video[k, :, left : left + bar] = 255
    return video


def square_masks(frames: int, height: int, width: int) -> np.ndarray:
    masks = np.zeros((frames, height, width), bool)
    masks[:, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
    masks[:, height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8] = False  # a hole
    return masks


@dataclasses.dataclass(slots=True)
class Made:
    """Where the catalog lies, its pairs and the summary of their build."""

    root: Path
    pairs: list[Pair]
    summary: Summary

    @property
    def media(self) -> Callable[[str], Path]:
        return MediaStore(self.root).path


def make_pair(number: int, source: str, target: str, mask: str = "", **changes: object) -> Pair:
    pair = Pair(
        pair_id=f"pair{number:04d}",
        clip_id="clip0",
        source_id="source0",
        task="object_removal",
        label="car",
        instruction="Remove the car.",
        enhanced_instruction="Take the car on the left out of the street.",
        instruction_by="model",
        instruction_model="writer",
        prompt="Remove car",
        negative_prompt="Generate car",
        target_prompt="",
        caption="a street",
        source_video=source,
        target_video=target,
        mask=mask,
        generated_side="target",
        expert="remover",
        expert_version="1+abcdef12",
        seed=number,
        params={"feather": 3},
        track_id="track0",
        first_frame=0,
        source_width=128,
        source_height=96,
        source_frames=24,
        source_fps=12.0,
        target_width=160,
        target_height=96,
        target_frames=48,
        target_fps=24.0,
        source_uri="pkg:pypi/some-package@1.0#clip.mp4",
        licence="MIT",
        keep=True,
        reason="",
        quality_score=0.9,
        quality_reason="",
        alignment_score=0.25,
        alignment_reason="",
        subtle_score=None,
        subtle_reason="not_measured",
        filter_versions={"quality": "1"},
    )
    return dataclasses.replace(pair, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Six pairs over three tasks; source 24 frames at 12 fps, target 48 at 24: both last 2 s."""
    root = tmp_path_factory.mktemp("catalog")
    store = MediaStore(root)
    with store.writing(".mp4") as source:
        write_video(source.path, wandering_bar(24, 96, 128), 12)
    with store.writing(".mp4") as target:
        write_video(target.path, wandering_bar(48, 96, 160, background=90), 24)
    with store.writing(".mkv") as mask:
        write_masks(mask.path, square_masks(48, 96, 160), 24)
    refs = (source.ref, target.ref)
    failed = {"keep": False, "reason": "edit_failed", "quality_reason": "edit_failed"}
    pairs = [
        make_pair(0, *refs, mask.ref),
        make_pair(1, *refs, mask.ref, **failed, quality_score=0.2),
        make_pair(2, *refs, task="deblur", instruction="Sharpen it", quality_score=0.7, prompt=""),
        make_pair(
            3,
            *refs,
            task="deblur",
            keep=False,
            reason="subtle",
            subtle_reason="subtle",
            subtle_score=0.99,
            quality_score=0.65,
        ),
        make_pair(4, source.ref, source.ref, task="colorization", instruction="Colour the bar."),
        make_pair(
            5,
            *refs,
            task="colorization",
            instruction="<script>window.injected = 1</script> & \"quotes\" 'single'",
            caption='"><img src=x onerror="window.injected=2">',
            quality_score=None,
            quality_reason="abstained",
        ),
    ]
    summary = Summary(
        title="editmill · test · v1",
        created="2026-01-02T03:04:05+00:00",
        recipe="test",
        tasks=[
            TaskLine("object_removal", 3, 2, 1, {"edit_failed": 1}),
            TaskLine("deblur", 2, 2, 1, {"subtle": 1}),
            TaskLine("colorization", 2, 2, 2),
            TaskLine("upscaling", 1, 0, 0),
        ],
        stages=[
            StageLine(
                *("edit", 6, 12.5, 800.0),
                reused=2,
                failed=1,
                core_seconds=20.4,
                waiting=2.5,
                besides=1.5,
            )
        ],
        failures=[
            FailureLine("ingest", "unreadable", 7, ["a<b>.mp4: is no video", "c.mp4: too"], 5)
        ],
        models=[ModelLine("some_model", "1+ff", "MIT", "pkg:npm/some@1")],
        notes=["A note with <b>markup</b> and `plan.<name>`."],
        thresholds=[
            ThresholdLine("quality", 0.6, "at_least"),
            ThresholdLine("quality", 0.5, "at_least", task="deblur"),
            ThresholdLine("subtle", 0.955, "at_most"),
        ],
    )
    return Made(root, pairs, summary)
