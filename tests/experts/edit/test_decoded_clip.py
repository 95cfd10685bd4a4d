"""A clip's edits share what was decoded, and no two clips are in memory."""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import catalog
from catalog import media
from catalog.media.image import write_transparent
from catalog.records import Clip, Plan
from experts.edit.job import DecodedClip, Job

FRAMES, HEIGHT, WIDTH = 6, 48, 64


def jobs(dataset: catalog.Catalog, size: tuple[int, int]) -> list[Job]:
    """Of two clips the same window each, at this size (height, width)."""
    made = []
    for value in (40, 200):
        frames = np.full((FRAMES, HEIGHT, WIDTH, 3), value, np.uint8)
        with dataset.media.writing(".mp4") as out:
            media.write_video(out.path, frames, 24.0)
        clip = Clip(str(value), "s", "u", "l", out.ref, 0, FRAMES, 24.0, WIDTH, HEIGHT)
        plan = Plan(
            plan_id=str(value), clip_id=clip.clip_id, task="deblur", expert="arithmetic",
            track_id="", label="", phrase="", count=1, prompt="", negative_prompt="",
            target_prompt="", seed=0, first_frame=1, frames=4, crop=[0, 0, WIDTH, HEIGHT],
            width=size[1], height=size[0], params={},
        )  # fmt: skip
        made.append(Job(plan, clip, {}))
    return made


@pytest.mark.parametrize("size", [(24, 32), (HEIGHT, WIDTH)])
def test_a_clip_is_gone_before_the_next_is_decoded(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = catalog.open(tmp_path, create=True)
    first, second = jobs(dataset, size)
    later = replace(first, plan=replace(first.plan, first_frame=2))
    decode, decoded = media.read_video, []

    def watched(path: Path, **window: Any) -> np.ndarray:
        assert all(clip() is None for clip in decoded), "a clip is held while another is decoded"
        frames = decode(path, **window)
        decoded.append(weakref.ref(frames))
        return frames

    monkeypatch.setattr(media, "read_video", watched)
    footage = DecodedClip(dataset, dataset.media)
    for job, value in ((first, 40), (later, 40), (second, 200)):
        frames = footage.frames(job)
        assert frames.shape == (4, *size, 3) and np.abs(frames.astype(int) - value).max() <= 2
        del frames
    assert len(decoded) == 2


def test_a_plan_sees_of_the_background_what_it_shows_of_the_clip(tmp_path: Path) -> None:
    dataset = catalog.open(tmp_path, create=True)
    job, _ = jobs(dataset, (24, 16))
    picture = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    picture[..., :3], picture[:, WIDTH // 2 :, 3] = 90, 255
    with dataset.media.writing(".png") as out:
        write_transparent(out.path, picture)
    crop = [WIDTH // 4, 0, WIDTH // 2, HEIGHT]
    plan = replace(job.plan, crop=crop, params={"background": out.ref})
    shown = DecodedClip(dataset, dataset.media).background(replace(job, plan=plan))
    assert shown.shape == (24, 16, 4) and (shown[..., :3] == 90).all()
    assert (shown[:, :8, 3] == 0).all() and (shown[:, 8:, 3] == 255).all()
    assert out.ref in replace(job, plan=plan).media and out.ref not in job.media
