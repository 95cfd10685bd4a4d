"""A small catalog: a removal with masks, a super-resolution whose source is smaller, two pairs of
one task of which one is rejected, and a local-editing record. A bar moves through all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import catalog
from catalog.keys import digest
from catalog.media import write_masks, write_video
from catalog.records import LocalEdit, Pair
from catalog.releases import Catalog
from tests.parts import by_key

FRAMES, HEIGHT, WIDTH, FPS = 12, 64, 96, 12.0


def bar(height: int = HEIGHT, width: int = WIDTH, level: int = 200) -> NDArray[np.uint8]:
    """[T, H, W, 3]: a bar an eighth wide goes from left to right over a ramp."""
    ramp = np.linspace(30, 110, width, dtype=np.uint8)[None, None, :, None]
    video = np.broadcast_to(ramp, (FRAMES, height, width, 3)).copy()
    for k in range(FRAMES):
        left = width * 7 // 8 * k // (FRAMES - 1)
        video[k, :, left : left + width // 8] = level
    return video


def bar_masks() -> NDArray[np.bool_]:
    """[T, H, W]: where the bar is."""
    return bar(level=255)[..., 0] == 255


def write_small_catalog(root: Path) -> Catalog:
    """Four pairs, three of them kept, and one local edit, at main and as release `v1`."""
    dataset = catalog.open(root, create=True)
    store = dataset.media
    refs = {}
    for name, frames in (
        ("bar", bar()),
        ("ramp", bar(level=70)),
        ("bright", bar(level=250)),
        ("small", bar(HEIGHT // 2, WIDTH // 2)),
    ):
        with store.writing(".mp4") as video:
            write_video(video.path, frames, FPS)
        refs[name] = video.ref
    with store.writing(".mkv") as masks:
        write_masks(masks.path, bar_masks(), FPS)
    small = dict(source_width=WIDTH // 2, source_height=HEIGHT // 2)
    dataset.tables.put(
        "pairs",
        by_key(
            [
                make_pair("object_removal", refs["bar"], refs["ramp"], mask=masks.ref, label="bar"),
                make_pair("upscaling", refs["small"], refs["bar"], **small),
                make_pair("global_style_transfer", refs["bar"], refs["bright"]),
                make_pair("global_style_transfer", refs["bar"], refs["bar"], keep=False),
            ]
        ),
    )
    dataset.tables.put("local_edits", by_key([make_local_edit(refs["bar"], masks.ref)]))
    dataset.release("v1", "sources: {}", notes="the first")
    return dataset


def make_pair(task: str, source: str, target: str, keep: bool = True, **changes: Any) -> Pair:
    size = dict(width=WIDTH, height=HEIGHT, frames=FRAMES, fps=FPS)
    fields: dict[str, Any] = dict(
        clip_id="clip", source_id="source", task=task, label="", instruction="Change the bar.",
        enhanced_instruction="", instruction_by="template", instruction_model="", prompt="",
        negative_prompt="", target_prompt="", caption="", source_video=source, target_video=target,
        mask="", generated_side="target", expert="tiny", expert_version="1", seed=0, params={},
        track_id="", first_frame=0,
        **{f"source_{name}": value for name, value in size.items()},
        **{f"target_{name}": value for name, value in size.items()},
        source_uri="file:bar", licence="CC0-1.0", keep=keep, reason="" if keep else "subtle",
        quality_score=0.75, quality_reason="", alignment_score=None, alignment_reason="",
        subtle_score=0.5, subtle_reason="" if keep else "subtle",
        filter_versions={},
    )  # fmt: skip
    fields |= changes
    return Pair(pair_id=digest(fields), **fields)


def make_local_edit(video: str, mask: str) -> LocalEdit:
    return LocalEdit(
        edit_id=digest(video, mask), clip_id="clip", source_id="source", subset="video",
        task="addition", label="bar", video=video, first_frame=0, frames=FRAMES, fps=FPS,
        crop=[0, 0, WIDTH, HEIGHT], width=WIDTH, height=HEIGHT, track_id="", mask_kind="exact",
        grow=0, propagation="track", seed=0, source_uri="file:bar", licence="CC0-1.0", mask=mask,
        caption_short="a bar", caption_medium="a grey bar", caption_long="a bar goes right",
    )  # fmt: skip
