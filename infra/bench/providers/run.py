"""The providers of the hub's models at full size with random weights: seconds and memory per clip.

    python infra/bench/providers/run.py --scratch /big/disk  # one GPU; 60 GB of disk at a time
    python infra/bench/providers/run.py --scratch … --only wan_vace vlm --steps 4
    python infra/bench/providers/run.py --tiny  # anywhere: does it run
    python infra/bench/providers/run.py --sizes  # anywhere: parameters, registry

No checkpoint is needed: what a model takes does not depend on what its weights are. Each provider
runs in a process of its own: its checkpoint is written (checkpoints.py), opened by the
provider as any other, run once to warm up and `--runs` times on each size of clip, and deleted. A
line of JSON for each size: `peak_gib` is what torch allocated at most on the GPU, `peak_of_needs`
that over what the registry plans for (`needs.gpu`).

Some work depends on what is found, and random weights find something else: `made` says what. SAM 2
is given four boxes; SAM 3 follows whatever passes a low threshold. BLIP-2's beams end at 30 tokens,
and a vision-language model's answer, which nothing ends, at 512 in one round, so its seconds are
an upper bound. RAFT's weights are the real ones.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from experts.annotate.detection.detect import Detection
from experts.annotate.tracking.settings import TrackLimits
from experts.annotate.tracking.tracker import keyframes
from experts.base import EditRequest, Frames, Masks
from experts.edit.first_frame.editor import ImageEditRequest
from experts.providers.registry import provider
from filters.base import FRAMES, PairFrames
from infra.bench.providers.checkpoints import GIB, full, size_of, tiny

PHRASES = ("car", "dog", "person", "horse")

LIBRARIES = ("torch", "transformers", "diffusers", "open-clip-torch", "sam2")

Size = tuple[int, int, int]
"""Frames, and px of height and width."""

EVERY_TRACK: dict[str, Any] = {"min_area": 0.0, "min_frames": 1, "min_confidence": 0.0}
"""Options of a tracker that counts what random weights follow."""

ANNOTATED: Size = (64, 540, 960)
EDITED: Size = (33, 336, 592)
MEGAPIXEL: Size = (1, 1024, 1024)


@dataclass(frozen=True)
class Case:
    """What is measured of a provider: `call` is given the provider and a clip of each of `sizes`,
    and returns what it made, in a few words. `maker` writes its tiny checkpoint; empty where it
    needs none. `quick` are the options and the size of a run on tiny weights."""

    slot: str
    maker: str
    call: Callable[[Any, Frames], str]
    sizes: tuple[Size, ...]
    options: dict[str, Any] = field(default_factory=dict)
    quick: dict[str, Any] = field(default_factory=dict)
    quick_size: Size = (5, 96, 128)


class FourBoxes:
    """A detector that finds the same four objects in every frame."""

    name = "four_boxes"
    version = "1"

    def load(self) -> None: ...

    def close(self) -> None: ...

    def detect(self, frames: Any, phrases: Any = ()) -> list[list[Detection]]:
        height, width = frames[0].shape[:2]
        places = [(x, y) for y in (0.1, 0.6) for x in (0.1, 0.6)]
        boxes = [(x * width, y * height, (x + 0.3) * width, (y + 0.3) * height) for x, y in places]
        found = [Detection(word, 0.9, box) for word, box in zip(PHRASES, boxes, strict=True)]
        return [found for _ in frames]


def square(frames: Frames) -> Masks:
    """The masks of an object in the middle third."""
    _, height, width = frames.shape[:3]
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = True
    return masks


def shape(array: Any) -> str:
    return "×".join(map(str, array.shape))


def detect(model: Any, frames: Frames) -> str:
    keys = keyframes(len(frames), TrackLimits.keyframe_interval)
    found = model.detect([frames[key] for key in keys], PHRASES)
    return f"{sum(map(len, found))} boxes in {len(keys)} keyframes"


def track(model: Any, frames: Frames) -> str:
    return f"{len(model.track(frames, phrases=PHRASES))} objects"


def describe(model: Any, frames: Frames) -> str:
    return type(model.describe([frames])[0]).__name__


def flow(model: Any, frames: Frames) -> str:
    return f"{len(model.flows([*itertools.pairwise(frames)]))} flows"


def encode(model: Any, frames: Frames) -> str:
    return f"{shape(model.embed(list(frames)))}, {shape(model.texts(['a red car']))} of a text"


def paint(model: Any, frames: Frames) -> str:
    image = ImageEditRequest(frames[0], square(frames)[0], "a red horse", "a blurry car", 5)
    return shape(model.edit_image(image))


def edit(model: Any, frames: Frames) -> str:
    params = {"replacement": "horse"}
    asked = EditRequest("object_swap", frames, square(frames), "a red horse", params=params)
    return shape(model.edit(asked).frames)


def judge(model: Any, frames: Frames) -> str:
    pair = PairFrames(
        "object_removal", frames, frames[::-1], instruction="Remove the dog.", made="target"
    )
    return f"{len(model.judgements([pair])[0].scores)} grades"


def painter(maker: str, own: Size = MEGAPIXEL) -> Case:
    one: Size = (1, *EDITED[1:])
    return Case("first_frame", maker, paint, (one, own), quick={"steps": 2})


def wan(own: Size) -> Case:
    return Case(
        "edit", "wan_vace", edit, (EDITED, own), quick={"steps": 2, "frames": 5, "overlap": 1}
    )


CASES: dict[str, Case] = {
    "grounding_dino": Case("detect", "grounding_dino", detect, (ANNOTATED,)),
    "sam2_video": Case("track", "sam2_video", track, (ANNOTATED,), EVERY_TRACK),
    "sam3": Case(
        "track", "sam3_video", track, (ANNOTATED,), EVERY_TRACK | {"detection_threshold": 0.2}
    ),
    "blip2": Case("captions", "blip2", describe, ((8, *ANNOTATED[1:]),)),
    "vlm": Case("captions", "qwen2_5_vl", describe, ((8, *ANNOTATED[1:]),), {"rounds": 1}),
    "depth_anything": Case(
        "depth", "depth_anything", lambda model, clip: shape(model.disparity(clip)), (ANNOTATED,)
    ),
    "raft": Case("flow", "", flow, (EDITED,), quick={"updates": 2}),
    "open_clip": Case("encode", "open_clip", encode, ((2 * FRAMES, 270, 480),)),
    "flux2_klein": painter("flux2_klein"),
    "qwen_image_edit": painter("qwen_image_edit"),
    "flux_fill": painter("flux_fill"),
    "controlnet_hed": painter("controlnet_hed", (1, 512, 512)),
    "wan_vace": wan((81, 480, 832)),
    "wan_vace_14b": wan((81, 720, 1280)),
    "reward_model": Case("judge", "vefx_reward", judge, ((FRAMES, 270, 480),)),
}


def clip_of(size: Size) -> Frames:
    """Noise that moves to the right."""
    count, height, width = size
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return np.stack([np.roll(frame, 2 * t, axis=1) for t in range(count)])


def opened(name: str, folder: Path, device: str, quick: bool, steps: int | None) -> Any:
    """The provider, not loaded, on the checkpoint in `folder`."""
    case = CASES[name]
    options: dict[str, Any] = {"device": device, **case.options}
    if quick:
        options |= case.quick
    elif steps and "steps" in case.quick:
        options["steps"] = steps
    if name == "controlnet_hed":
        options |= {"checkpoint": str(folder / "sd15"), "controlnet": str(folder / "controlnet")}
    elif case.maker:
        options["checkpoint"] = str(folder)
    if name == "reward_model":
        options["prompt"] = str(folder / "prompt.txt")
    given = (FourBoxes(),) if name == "sam2_video" else ()
    return provider(case.slot, name).kind()(*given, **options)


def parameters(folder: Path) -> int:
    """Of all files of weights in a folder."""
    from safetensors import safe_open

    count = 0
    for path in folder.rglob("*.safetensors"):
        with safe_open(path, "pt") as tensors:
            for key in tensors.keys():  # noqa: SIM118 - it is no mapping
                count += int(np.prod(tensors.get_slice(key).get_shape()))
    return count


def synchronize(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def measure(
    name: str, scratch: Path, device: str, quick: bool, runs: int, steps: int | None
) -> None:
    """Prints a line of JSON for each size."""
    case = CASES[name]
    needs = provider(case.slot, name).needs
    folder = scratch / "checkpoint"
    if case.maker and quick:
        tiny(case.maker, folder)
    elif case.maker:
        full(case.slot, name, case.maker, folder, device)
    files = [path for path in folder.rglob("*") if path.is_file()]
    report: dict[str, Any] = {
        "provider": name,
        "slot": case.slot,
        "weights": "tiny" if quick else "full size",
        "parameters": parameters(folder) or None,
        "disk_gib": round(sum(path.stat().st_size for path in files) / GIB, 3),
    }
    model = opened(name, folder, device, quick, steps)
    begin = time.perf_counter()
    model.load()
    synchronize(device)
    report["load_seconds"] = round(time.perf_counter() - begin, 2)
    for size in (case.quick_size,) if quick else case.sizes:
        frames = clip_of(size)
        if device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        taken = []
        for _ in range(runs + 1):
            begin = time.perf_counter()
            made = case.call(model, frames)
            synchronize(device)
            taken.append(time.perf_counter() - begin)
        peak = None if device == "cpu" else torch.cuda.max_memory_allocated() / GIB
        print(
            json.dumps(
                {
                    **report,
                    "size": "×".join(map(str, size)),
                    "made": made,
                    "first_seconds": round(taken[0], 3),
                    "seconds": round(statistics.median(taken[1:]), 3),
                    "runs": runs,
                    "steps": steps if "steps" in case.quick and not quick else None,
                    "peak_gib": peak and round(peak, 2),
                    "needs_gib": needs.gpu,
                    "peak_of_needs": peak and round(peak / needs.gpu, 2),
                    "dtype": "float32" if device == "cpu" else needs.dtype,
                    "device": "processor" if device == "cpu" else torch.cuda.get_device_name(),
                    "date": datetime.now(UTC).date().isoformat(),
                    **{library: version(library) for library in LIBRARIES},
                },
                ensure_ascii=False,
            ),
            flush=True,
        )
    model.close()


def run_apart(name: str, asked: argparse.Namespace) -> bool:
    """Measures a provider in a process of its own; whether that went well. What kept it from
    running is told in a line of JSON too."""
    told = {"provider": name, "slot": CASES[name].slot}
    if not asked.tiny:
        size = size_of(CASES[name].slot, name)[1]
        free = shutil.disk_usage(asked.scratch).free
        if size * 1.05 > free:
            lacks = f"{size / GIB:.1f} GiB of disk are needed, {free / GIB:.1f} are free"
            print(json.dumps({**told, "skipped": lacks}), flush=True)
            return True
    with tempfile.TemporaryDirectory(dir=asked.scratch) as folder:
        command = [sys.executable, __file__, "--only", name, "--here", folder]
        command += ["--device", asked.device, "--runs", str(asked.runs)]
        command += ["--tiny"] if asked.tiny else []
        command += ["--steps", str(asked.steps)] if asked.steps else []
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    sys.stderr.write(done.stderr)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        print(json.dumps({**told, "failed": why}, ensure_ascii=False), flush=True)
    return not done.returncode


def print_sizes() -> None:
    """Parameters of the published sizes, and their bytes over what the registry says."""
    for name, case in CASES.items():
        count, size = size_of(case.slot, name)
        listed = provider(case.slot, name).checkpoint
        if listed is not None:
            print(
                f"{name:16} {count / 1e6:9.1f} M  {size / 1e9:6.2f} GB, "
                f"{size / listed.size:.2f} of the registry's"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scratch", type=Path, help="a folder for checkpoints, one at a time")
    parser.add_argument("--tiny", action="store_true", help="tiny weights on the processor")
    parser.add_argument("--only", nargs="+", choices=CASES, help="these providers")
    parser.add_argument("--steps", type=int, help="of denoising; by default the model card's")
    parser.add_argument("--runs", type=int, default=3, help="timed runs, after one that warms up")
    parser.add_argument("--device", default="cuda", help="torch's name of one")
    parser.add_argument("--sizes", action="store_true", help="count parameters, run nothing")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.tiny:
        asked.device = "cpu"
    if asked.sizes:
        print_sizes()
        return
    if asked.device != "cpu" and not torch.cuda.is_available():
        parser.error("there is no GPU here; --tiny runs everything on the processor")
    if asked.here:
        measure(asked.only[0], asked.here, asked.device, asked.tiny, asked.runs, asked.steps)
        return
    if not asked.tiny and asked.scratch is None:
        parser.error("name a folder with room for a checkpoint by --scratch")
    names = asked.only or list(CASES)
    if not all([run_apart(name, asked) for name in names]):
        sys.exit(1)


if __name__ == "__main__":
    main()
