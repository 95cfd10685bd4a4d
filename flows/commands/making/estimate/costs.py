"""What a build's parts cost, as measured on two cores with the embedded experts.

Core-seconds per edit are those of `infra/bench/builds/throughput.py` in
infra/bench/results/embedded.md, less the 4.2 that it adds to each edit as its share of ingest,
annotation and planning. Of two tasks that share a map or a removal, the one made first is charged
for it there; here both are, since a clip seldom draws both. HED and scribbles are taken times .57
and .65, as 8-bit HED made them (infra/bench/results/throughput.md).
"""

from __future__ import annotations

INGEST = 54 / 8
"""Core-seconds per clip of 64 frames: shots, cutting, encoding (a demo of eight clips)."""

ANNOTATE = 146.4 / 4
"""The same, with four keyframes: detection, segmentation, tracking, camera (four clips of the
samples, infra/bench/results/annotation.md)."""

CLIP_FRAMES = 64
"""Frames of the clips that this was measured on; what is done per clip grows with their number."""

EDIT = {
    "object_removal": 23.5,
    "object_addition": 23.5,
    "object_swap": 15.3,
    "local_style_transfer": 3.3,
    "global_style_transfer": 8.2,
    "object_grounding": 1.8,
    "inpainting": 3.5,
    "outpainting": 3.2,
    "canny_to_video": 3.2,
    "hed_detection": 8.4,
    "hed_to_video": 8.4,
    "fake_scribble_detection": 13.6,
    "fake_scribble_to_video": 13.6,
    "colorization": 2.7,
    "deblur": 4.3,
    "upscaling": 2.9,
}
"""Core-seconds per edit at the samples' sizes, with its words and its judging. A task that is not
here (depth, by a model of the user's) was not measured."""

EDIT_PIXELS = 344_000
"""px of the samples' conditional edits, on average: the larger ones of a user cost in proportion.
Local edits have 336×592 at most, there as here."""

EDIT_FRAMES = 64

MEMORY_GIB = (4, 7)
"""With two workers: the samples took 4.4 to 5.3 at most, a user's footage, 4K among it, 6.2."""

CLIP_BYTES = 0.043
"""Bytes per px and frame of a clip (x264, CRF 15): the mean of a fixed camera's (.029) and a moving
one's (.057), two clips of the samples. Grain and water take more."""

EDIT_BYTES = 0.038
"""Bytes per px and frame of an edit: what was made, the mask, and the window of footage, which
edits of one size share; 22 edits of the same two clips."""
