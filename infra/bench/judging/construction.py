"""How many right pairs does the construction filter reject, and how many broken ones does it find?

    python infra/bench/judging/construction.py clip_squirrel dance.mp4 … [--cache FOLDER]

Footage is a sample clip's name or a file; name none that a threshold was chosen on. Each gives
WINDOWS plain windows and one of every kind in KINDS. The tasks' real experts edit them, both sides
go through the encoder and are sampled as the judge stage samples them. Broken pairs are those
pairs with their made side spoilt; one whose spoiling nobody could see is left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from catalog import media
from catalog.errors import BadInput
from experts.base import EditRequest
from experts.edit.tasks import TASKS, expert_for
from experts.weights import fetch
from filters.base import FRAMES, PairFrames
from filters.construction import DEGENERATE, FAMILIES, ConstructionFilter
from filters.quality.training.synthetic_masks import object_masks
from filters.quality.training.training_set import VISIBLE_LEVELS, encoded
from filters.samples import LONG_SIDE, pair_sample

WINDOWS = 4
LENGTHS = (33, 64)
LONG_SIDES = (480, 320, 640)
FPS = 25

SLOW_WINDOWS = (10, 11)
"""Numbers of the windows that HED and scribbles, which take minutes, are made of."""

SPOILT_EVERY = 4
"""Of so many windows one is spoilt."""

Frames = NDArray[np.uint8]
Masks = NDArray[np.bool_]

MADE = (
    "canny_to_video",
    "hed_detection",
    "fake_scribble_detection",
    "colorization",
    "deblur",
    "upscaling",
    "inpainting",
    "outpainting",
    "object_grounding",
)
TURNED = {"hed_detection": "hed_to_video", "fake_scribble_detection": "fake_scribble_to_video"}


def _levels(frames: NDArray) -> Frames:
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)


def _noise(frames: Frames, sigma: float) -> NDArray:
    return np.random.default_rng(1).normal(0, sigma, frames.shape).astype(np.float32)


def _part(frames: Frames, height: float, width: float) -> Frames:
    """The middle, as shares of the sides."""
    h, w = (round(n * s) for n, s in zip(frames.shape[1:3], (height, width), strict=True))
    y, x = (frames.shape[1] - h) // 2, (frames.shape[2] - w) // 2
    return frames[:, y : y + h, x : x + w]


def _shape(frames: Frames, ratio: float) -> Frames:
    """The middle of width / height `ratio`."""
    now = frames.shape[2] / frames.shape[1]
    return _part(frames, min(1, now / ratio), min(1, ratio / now))


KINDS: Mapping[str, Callable[[Frames], Frames]] = {
    "dark": lambda f: _levels(f * 0.22),
    "overexposed": lambda f: _levels(f * 2.2),
    "black_and_white": lambda f: np.repeat(_levels(f @ [0.299, 0.587, 0.114])[..., None], 3, 3),
    "grainy": lambda f: _levels(f + _noise(f, 12)),
    "foggy": lambda f: _levels(150 + 0.25 * f),
    "still": lambda f: _levels(f[:1] + _noise(f, 1.5)),
    "close_up": lambda f: _part(f, 0.35, 0.35),
    "small": lambda f: f,
    "four_thirds": lambda f: _shape(f, 4 / 3),
    "vertical": lambda f: _shape(f, 9 / 16),
    "black": lambda f: _levels(f * 0.01),
}


@dataclass(frozen=True, slots=True)
class Footage:
    """A window of a source, of one kind, at the size that it is edited at."""

    name: str
    kind: str
    frames: Frames


def footage(source: str, path: Path) -> Iterator[Footage]:
    """The windows of one source."""
    total = media.probe(path).frames or max(LENGTHS)
    turns = ["plain"] * WINDOWS + list(KINDS)
    for turn, kind in enumerate(turns):
        count = min(total, LENGTHS[turn % 2])
        first = round((total - count) * ((turn * 5) % len(turns)) / (len(turns) - 1))
        side = 160 if kind == "small" else LONG_SIDES[turn % 3]
        whole = media.read_video(path, first, count)
        changed = KINDS[kind](_fitted(whole, 960)) if kind != "plain" else whole
        yield Footage(f"{source}:{turn}", kind, _fitted(changed, side))


def _fitted(frames: Frames, long_side: int) -> Frames:
    height, width = frames.shape[1:3]
    scale = long_side / max(height, width)
    size = tuple(max(16, round(n * scale / 8) * 8) for n in (height, width))
    return media.crop_resize(frames, size)


def made(given: Footage, task: str, cache: Path) -> PairFrames:
    """The footage and what the task's expert makes of it, read back from files.

    Raises BadInput where the footage is too small for the task.
    """
    folder = cache / f"{given.name.replace(':', '-')}-{given.kind}-{task}"
    if not (folder / "done").exists():
        _write(given, task, folder)
    real, edited = folder / "real.mp4", folder / "made.mp4"
    on_source = TASKS[task].made_side == "source"
    source, target = (edited, real) if on_source else (real, edited)
    first, second = (media.probe(side) for side in (source, target))
    mask = folder / "mask.mkv"
    return pair_sample(
        task=task,
        source=media.sample_frames(source, FRAMES, LONG_SIDE),
        target=media.sample_frames(target, FRAMES, LONG_SIDE),
        masks=media.read_masks(mask) if mask.exists() else None,
        prompt="",
        label="",
        instruction="",
        source_id=given.name,
        sizes=((first.height, first.width), (second.height, second.width)),
    )


def _write(given: Footage, task: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    seed = zlib.crc32(f"{given.name}{task}".encode())
    params, masks = {}, None
    if task == "object_grounding":
        rng = np.random.default_rng(seed)
        instances = [object_masks(given.frames, rng) for _ in range(1 + seed % 3)]
        params, masks = {"instance_masks": instances}, np.logical_or.reduce(instances)
    expert = expert_for(task)
    expert.load()
    result = expert.edit(EditRequest(task, given.frames, masks, seed=seed, params=params))
    media.write_video(folder / "made.mp4", result.frames, FPS)
    media.write_video(folder / "real.mp4", given.frames, FPS)
    masks = masks if result.masks is None else result.masks
    if masks is not None:
        media.write_masks(folder / "mask.mkv", masks, FPS)
    (folder / "done").touch()


def broken(pair: PairFrames, other: PairFrames) -> Iterator[tuple[str, PairFrames]]:
    """The pair spoilt in every way that its family of tasks can be; `other` is another source's."""
    real, good = pair.sides
    size = good.shape[2], good.shape[1]
    foreign = np.stack([cv2.resize(f, size) for f in other.sides[1]])
    fitting = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in real])
    rng = np.random.default_rng(0)
    step = max(3, round(0.06 * size[0]))
    half = FRAMES // 2
    ways: dict[str, Frames] = {"other clip": foreign, "displaced": np.roll(good, step, axis=2)}
    seen = good if FAMILIES[pair.task] == "regions" else real  # whose motion tells the time
    if _moves(seen, seen[:1]):
        ways["frozen"] = np.repeat(good[:1], FRAMES, axis=0)
        late = np.minimum(np.arange(FRAMES), half)
        if _moves(seen, seen[late]):
            ways["frozen midway"] = good[late]
    if _moves(seen, seen[::-1]):
        ways["reversed"] = good[::-1]
    ways["other clip midway"] = np.concatenate([good[:half], foreign[half:]])
    blank = good.copy()
    blank[rng.permutation(FRAMES)[:4]] = 0
    family = FAMILIES[pair.task]
    if family != "holes":  # which may be black over black
        ways["blank frames"] = blank
    if family == "lines":
        ways["inverted"] = 255 - good
        ways["noise"] = _levels(np.repeat(rng.integers(0, 256, good.shape[:3])[..., None], 3, 3))
        ways["black"] = np.zeros_like(good)
        ways["nearly white"] = np.maximum(good, 200)
    if family == "grey":
        ways["in colour"] = encoded(real)
        ways["half in colour"] = _levels(0.5 * good + 0.5 * fitting)
    if family in ("grey", "detail"):
        gains = 1 + 0.25 * rng.choice([-1, 1], (FRAMES, 1, 1, 1))
        ways["flickering light"] = _levels(good * gains)
    if family == "detail":
        ways["as sharp"] = encoded(real)
        soft = 0.12 * min(size)
        ways["destroyed"] = np.stack([cv2.GaussianBlur(f, (0, 0), soft) for f in fitting])
    if family == "holes" and pair.mask is not None:
        moved = np.roll(pair.mask, step, axis=2)
        ways["hole beside"] = encoded(np.where(moved[..., None], 0, real).astype(np.uint8))
        ways["no hole"] = encoded(real)
        noise = rng.integers(0, 256, real.shape, np.uint8)
        ways["hole of noise"] = np.where(pair.mask[..., None], noise, good)
        ways["tinted beside"] = np.where(pair.mask[..., None], good, _levels(good * [1.2, 1, 0.8]))
        ways["soft beside"] = np.where(
            pair.mask[..., None], good, np.stack([cv2.blur(f, (15, 15)) for f in good])
        )
    if family == "regions":
        ways["on the footage"] = np.where(good.max(-1, keepdims=True) < 96, real, good)
        ways["black"] = np.zeros_like(good)
        ways["all painted"] = np.where(good.max(-1, keepdims=True) < 96, 255, good) // [1, 255, 255]
    if family in ("lines", "regions"):
        ways["the footage itself"] = encoded(real)
    for kind, frames in ways.items():
        side = np.asarray(frames, np.uint8)
        spoilt = dataclasses.replace(pair, **{pair.made: side})  # type: ignore[arg-type]
        yield kind, dataclasses.replace(spoilt, sizes=None) if kind == "as sharp" else spoilt


def _moves(real: Frames, shown: Frames) -> bool:
    """Whether one would see that frames were shown at another time than their own."""
    change = np.abs(real.astype(np.int16) - shown).mean((1, 2, 3))
    return bool(np.sort(change)[-FRAMES // 3 :].mean() >= VISIBLE_LEVELS)


def degenerate(given: Footage, task: str) -> bool:
    """Whether the footage leaves the task nothing, whatever the filter says."""
    return given.kind == "black" or (given.kind == "black_and_white" and task == "colorization")


@dataclass(slots=True)
class Tally:
    """What became of a task's pairs."""

    right: int = 0
    rejected: list[str] = dataclasses.field(default_factory=list)
    nothing: Counter[bool] = dataclasses.field(default_factory=Counter)
    found: dict[str, list[bool]] = dataclasses.field(default_factory=lambda: defaultdict(list))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("footage", nargs="+", help="sample clips by name, or files")
    parser.add_argument("--cache", type=Path, default=Path("construction-bench"))
    parser.add_argument("--tasks", nargs="+", choices=MADE, default=MADE)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    construction = ConstructionFilter()
    paths = {Path(n).stem: Path(n) if Path(n).suffix else Path(fetch(n)) for n in options.footage}
    windows = [w for name, path in paths.items() for w in footage(name, path)]
    tallies: dict[str, Tally] = defaultdict(Tally)
    seconds, judged = 0.0, 0
    for task in options.tasks:
        samples: list[tuple[Footage, PairFrames]] = []
        for given in windows:
            number = int(given.name.rpartition(":")[2])
            if task in TURNED and number not in SLOW_WINDOWS:
                continue
            try:
                samples.append((given, made(given, task, options.cache)))
            except BadInput:  # too small to be read back
                continue
        for given, sample in samples:
            name = given.name.partition(":")[0]
            others = [s for f, s in samples if f.name.partition(":")[0] != name]
            other = others[zlib.crc32(given.name.encode()) % len(others)]
            for pair in turned(sample):
                tally = tallies[pair.task]
                start = time.perf_counter()
                (verdict,) = construction.judge([pair])
                seconds, judged = seconds + time.perf_counter() - start, judged + 1
                if degenerate(given, task):
                    tally.nothing[verdict.reason in DEGENERATE] += 1
                    continue
                tally.right += 1
                if not verdict.keep:
                    tally.rejected.append(verdict.reason)
                    print(f"# {pair.task} {given.name} {given.kind}: {verdict}", flush=True)
                    continue
                if windows.index(given) % SPOILT_EVERY and task not in TURNED:
                    continue
                for kind, spoilt in broken(pair, other):
                    (verdict,) = construction.judge([spoilt])
                    tally.found[kind].append(not verdict.keep)
                    if verdict.keep:
                        print(f"#   kept: {pair.task} {given.name} {given.kind} {kind}", flush=True)
    report(tallies)
    print(f"{1000 * seconds / max(judged, 1):.0f} ms a pair")


def turned(sample: PairFrames) -> Iterator[PairFrames]:
    """The pair, and the task that reads it backwards."""
    yield sample
    if sample.task in TURNED:
        yield dataclasses.replace(
            sample,
            task=TURNED[sample.task],
            source=sample.target,
            target=sample.source,
            made="source",
        )


def report(tallies: Mapping[str, Tally]) -> None:
    """Prints a line per task, and one per kind of breakage."""
    print(f"{'task':24s}{'right':>6s}{'rejected':>9s}{'degenerate':>11s}{'nothing to learn':>17s}")
    for task, tally in tallies.items():
        odd = [r for r in tally.rejected if r not in DEGENERATE]
        nothing = f"{tally.nothing[True]}/{tally.nothing.total()}"
        degenerate_ = len(tally.rejected) - len(odd)
        print(f"{task:24s}{tally.right:6d}{len(odd):9d}{degenerate_:11d}{nothing:>17s}")
    right = sum(t.right for t in tallies.values())
    odd = sum(r not in DEGENERATE for t in tallies.values() for r in t.rejected)
    rejected = sum(len(t.rejected) for t in tallies.values())
    print(f"all: {odd} of {right} right pairs rejected ({odd / right:.1%}), {rejected - odd} more ")
    print("with a reason that says they are degenerate")
    kinds = sorted({kind for t in tallies.values() for kind in t.found})
    for kind in kinds:
        line = []
        for task, tally in tallies.items():
            if found := tally.found.get(kind):
                line.append(f"{task} {sum(found)}/{len(found)}")
        everything = [f for t in tallies.values() for f in t.found.get(kind, ())]
        print(f"{kind:20s}{np.mean(everything):7.1%}  {', '.join(line)}")
    everything = [f for t in tallies.values() for found in t.found.values() for f in found]
    print(f"broken pairs found: {sum(everything)} of {len(everything)} ({np.mean(everything):.1%})")


if __name__ == "__main__":
    main()
