"""What following 8 objects through a clip takes in memory, over following one.

    python infra/bench/tracking_memory.py
    python infra/bench/tracking_memory.py --side 1024 --frames 20      # SAM 2's own input size
    python infra/bench/tracking_memory.py --checkpoint DIR --device cuda

SAM 2's video tracker follows boxes through real frames, each count of objects in a process of its
own: `peak` is the process's largest resident size while it tracks (on a GPU, also the largest that
torch had allocated there), `rise` how much that is above its size before, with the model loaded and
the frames decoded. Both hold the answer, whose masks are compressed; `answer` is their size.
Without `--checkpoint` the weights are random, of Hiera tiny's size: memory follows from shapes.
`--side` is the network's input in px: at 1024 it looks at 16 times as much as at 256, and on a
processor takes that much longer.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from catalog.media import sample_frames
from experts.annotate.tracking.predictors.sam2_video import Sam2VideoTracker
from experts.weights import fetch

CLIP = "clip_bigbuckbunny"
LONG_SIDE = 640  # px, of the frames
MIB = 1 << 20


@dataclass(frozen=True)
class Found:
    label: str
    score: float
    box: tuple[float, float, float, float]


class Boxes:
    """As many boxes as asked for, in a grid, on the first frame it is shown."""

    def __init__(self, count: int) -> None:
        self.count = count

    def load(self) -> None: ...

    def close(self) -> None: ...

    def detect(
        self, frames: Sequence[np.ndarray], phrases: Sequence[str] = ()
    ) -> list[list[Found]]:
        height, width = frames[0].shape[:2]
        cells = [(row, column) for row in range(2) for column in range(4)][: self.count]
        boxes = [
            (column * width / 4, row * height / 2, (column + 1) * width / 4, (row + 1) * height / 2)
            for row, column in cells
        ]
        first = [Found(f"object {n}", 0.9 - n / 100, box) for n, box in enumerate(boxes)]
        return [first, *([] for _ in frames[1:])]


def random_checkpoint(folder: Path, side: int) -> Path:
    """Hiera tiny with an input of `side` px, in the hub's layout."""
    import torch
    from transformers import Sam2VideoConfig, Sam2VideoModel

    config = Sam2VideoConfig(
        image_size=side,
        prompt_encoder_config={"image_size": side},
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": {"model_type": "sam2_hiera_det_model", "image_size": [side, side]},
            "backbone_feature_sizes": [[side // stride] * 2 for stride in (4, 8, 16)],
        },
        memory_attention_rope_feat_sizes=[side // 16] * 2,
    )
    torch.manual_seed(0)
    model = Sam2VideoModel(config)
    with torch.no_grad():
        model.shared_image_embedding.positional_embedding.copy_(
            model.prompt_encoder.shared_embedding.positional_embedding
        )
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(4.0)  # every object is there
    model.save_pretrained(folder)
    return folder


def follow(checkpoint: Path, objects: int, count: int, device: str) -> None:
    """Follows `objects` boxes through `count` frames; prints peak, rise, answer and a GPU's peak in
    MiB, and seconds."""
    frames = sample_frames(fetch(CLIP), count, LONG_SIDE)
    tracker = Sam2VideoTracker(
        Boxes(objects),
        checkpoint=str(checkpoint),
        device=device,
        keyframe_interval=count,
        max_objects=objects,
        min_area=0.0,
        min_frames=1,
        min_confidence=0.0,
        match_iou=1.0,
        absent_frames=count + 1,
    )
    # Random weights may give two boxes the same mask: still two objects to follow.
    tracker.settings = replace(tracker.settings, duplicate_iou=1.0)
    tracker.load()
    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # forget the largest size so far (Linux)
    begun = time.monotonic()
    tracks = tracker.track(frames)
    seconds = time.monotonic() - begun
    assert len(tracks) == objects, f"{len(tracks)} tracks of {objects}"
    assert all(len(track.masks) == count for track in tracks)
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
    gpu = 0
    if tracker.network.device != "cpu":
        import torch

        gpu = torch.cuda.max_memory_allocated(tracker.network.device)
    answer = sum(track.masks.nbytes for track in tracks)
    print(peak / MIB, (peak - before) / MIB, answer / MIB, gpu / MIB, seconds)


def measured(checkpoint: Path, objects: int, arguments: Any) -> list[float]:
    command = [sys.executable, __file__, "--checkpoint", str(checkpoint)]
    command += ["--frames", str(arguments.frames), "--device", arguments.device]
    command += ["--follow", str(objects)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(value) for value in done.stdout.split()[-5:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--follow", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.follow:
        follow(arguments.checkpoint, arguments.follow, arguments.frames, arguments.device)
        return
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = arguments.checkpoint or random_checkpoint(Path(folder), arguments.side)
        one, many = (measured(checkpoint, n, arguments) for n in (1, arguments.objects))
    for name, values in (("1 object", one), (f"{arguments.objects} objects", many)):
        peak, rise, answer, gpu, seconds = values
        print(
            f"{name:>10}: peak {peak:.0f} MiB, rise {rise:.0f}, answer {answer:.0f}, "
            f"GPU {gpu:.0f}; {seconds:.0f} s for {arguments.frames} frames"
        )
    ratios = {
        "peak": many[0] / one[0],
        "rise": many[1] / one[1],
        "rise without the answer": (many[1] - many[2]) / (one[1] - one[2]),
    }
    if one[3]:
        ratios["GPU"] = many[3] / one[3]
    print("ratios: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))


if __name__ == "__main__":
    main()
