"""The remover before footage that nothing was chosen on, and what it knows of its own errors.

Over every source of the split (split.toml) goes a large, slow, textured blob, as a passer-by close
to the camera: its outline wobbles, its texture is another source's and moves within it, and behind
it is whatever the clip shows: people before a camera that stands, a close foreground with parallax,
grain. The clip is the truth. As in `removal.py` the fill is compared by its PSNR inside the mask
with the better of Telea's method frame by frame and the median over time; `fill_error`, what the
remover believes to be off by, with what it really is, by their rank correlation (Spearman).

    python infra/bench/removal/blobs.py                          # both halves of the split
    python infra/bench/removal/blobs.py --footage dance.mp4 promenade.mp4  # reported on as well
    python infra/bench/removal/blobs.py --only waves --sheets out/
    python infra/bench/removal/blobs.py --size 0.45                       # an object further away
    python infra/bench/removal/blobs.py --half rendered_reported_on rendered_tuned_on

Rows of the sources that things were chosen on and of those that are only reported on are kept
apart, and the gap between them is printed. In the rendered scenes (infra/bench/rendered) the object
is a modelled one, with its shadow, and the truth is the scene without it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from catalog.media import crop_resize, fit_size, read_video
from experts.base import EditRequest, Frames, Masks
from experts.edit.remover import Remover
from experts.weights import fetch
from infra.bench.removal.run import FRAMES, MASK_MARGIN, SIZE, psnr, telea, temporal_median
from infra.bench.rendered.load import scene
from infra.bench.split import rendered_split, split

RENDERED = "rendered_"
HALVES = ("tuned_on", "reported_on", RENDERED + "tuned_on", RENDERED + "reported_on")
START = 0.25  # of the source's frames, where its window starts


@dataclass(frozen=True)
class Scored:
    """PSNR in dB within the mask, `expected` by the remover too, `whole` over all that the object
    changes; how much of it outside of the mask is `covered`, 0 to 1; core-seconds."""

    name: str
    telea: float
    median: float
    ours: float
    expected: float
    whole: float
    covered: float
    seconds: float

    @property
    def gain(self) -> float:
        """Over the better baseline, dB."""
        return self.ours - max(self.telea, self.median)


def window(path: Path) -> Frames:
    """The source's frames from a quarter of it on, at most SIZE."""
    frames = read_video(path)
    first = min(int(START * len(frames)), max(0, len(frames) - FRAMES))
    frames = frames[first : first + FRAMES]
    return crop_resize(frames, fit_size(frames.shape[2], frames.shape[1], *SIZE))


def blob(clip: Frames, donor: Frames, seed: int, size: float = 1.0) -> tuple[Frames, Masks]:
    """`clip` [T, H, W, 3] with a blob of `donor`'s texture on it, `size` times the usual one, and
    its masks; measures are those for frames 592 px wide and grow with the frame."""
    random = np.random.default_rng(seed)
    count, height, width, _ = clip.shape
    y, x = np.mgrid[:height, :width]
    scale = width / SIZE[1]
    masks, frames = np.zeros((count, height, width), bool), clip.copy()
    centre = random.uniform(0.25, 0.4) * width, random.uniform(0.4, 0.6) * height
    speed = random.uniform(3, 7) * scale, random.uniform(-1.5, 1.5) * scale
    radii = random.uniform(35, 50) * scale * size, random.uniform(60, 85) * scale * size
    for t in range(count):
        at_x, at_y = (c + v * t for c, v in zip(centre, speed, strict=True))
        if seed % 2:
            at_x = width - at_x
        outline = 1 + 0.15 * np.sin(3 * np.arctan2(y - at_y, x - at_x) + 0.2 * t)
        masks[t] = ((x - at_x) / radii[0]) ** 2 + ((y - at_y) / radii[1]) ** 2 < outline**2
        texture = cv2.resize(donor[t % len(donor)], (width, height))
        texture = np.roll(texture, (int(at_y - height / 2), int(at_x - width / 2)), (0, 1))
        frames[t][masks[t]] = texture[masks[t]]
    return frames, masks


def sources_of(half: str) -> dict[str, str]:
    """Short name → slot or scene, of one of the HALVES."""
    if half.startswith(RENDERED):
        scenes = getattr(rendered_split(), half.removeprefix(RENDERED))
        return {name: name for name in scenes}
    return {name.removeprefix("clip_"): name for name in getattr(split(), half)}


def case(
    half: str, name: str, sources: Mapping[str, str], size: float = 1.0
) -> tuple[Frames, Frames, Masks, Masks]:
    """Truth, frames, masks and what the object changes, of a source of the `half`."""
    if half.startswith(RENDERED):
        made = scene(name)
        kernel = np.ones((2 * MASK_MARGIN + 1,) * 2, np.uint8)
        grown = np.stack([cv2.dilate(m.astype(np.uint8), kernel) > 0 for m in made.masks])
        return made.without, made.with_object, grown, grown | made.affected()
    names = list(sources)
    seed = names.index(name)
    clip, donor = (
        window(path if (path := Path(source)).exists() else Path(fetch(source)))
        for source in (sources[name], sources[names[(seed + 1) % len(names)]])
    )
    frames, masks = blob(clip, donor, seed, size)
    return clip, frames, masks, masks


def score(
    name: str,
    truth: Frames,
    frames: Frames,
    masks: Masks,
    changed: Masks,
    remover: Remover,
    sheets: Path | None,
) -> Scored:
    """What the methods make of the `frames`, and a contact sheet of it."""
    by_telea = telea(frames, masks)
    by_median = temporal_median(frames, masks, by_telea)
    started = time.process_time()
    result = remover.edit(EditRequest("object_removal", frames, masks))
    seconds = time.process_time() - started
    assert result.masks is not None
    assert np.array_equal(result.frames[~result.masks], frames[~result.masks])
    beside = changed & ~masks
    scored = Scored(
        name,
        psnr(by_telea, truth, masks),
        psnr(by_median, truth, masks),
        psnr(result.frames, truth, masks),
        -float(result.info["fill_error"]),
        psnr(result.frames, truth, changed),
        float((result.masks & beside).sum() / max(1, beside.sum())),
        seconds,
    )
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        best = by_telea if scored.telea > scored.median else by_median
        rows = [
            np.hstack([v[t] for v in (frames, truth, best, result.frames)])
            for t in (1, len(frames) // 3, 2 * len(frames) // 3)
        ]
        cv2.imwrite(str(sheets / f"{name}.png"), np.vstack(rows)[..., ::-1])
    return scored


def row(one: Scored) -> str:
    return (
        f"{one.name:<18}{one.telea:7.2f}{one.median:8.2f}{one.ours:7.2f}{one.gain:+7.2f}"
        f"{one.expected:10.2f}{one.whole:7.2f}{one.covered:9.2f}{one.seconds:7.1f}"
    )


def summary(title: str, rows: Sequence[Scored]) -> str:
    gains = [one.gain for one in rows]
    return f"{title}: mean gain {np.mean(gains):+.2f} dB, least {min(gains):+.2f}, of {len(rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--footage", type=Path, nargs="*", default=[], help="videos, reported on")
    parser.add_argument("--only", default="", help="only the sources whose name holds this text")
    parser.add_argument("--size", type=float, default=1.0, help="of the blob; 0.45: a passer-by")
    parser.add_argument("--half", choices=HALVES, nargs="+", default=HALVES)
    parser.add_argument("--sheets", type=Path, help="write contact sheets into this folder")
    args = parser.parse_args()
    halves = {half: sources_of(half) for half in HALVES}
    halves["reported_on"] |= {path.stem: str(path) for path in args.footage}
    remover = Remover(threads=1)
    remover.load()
    done: dict[str, list[Scored]] = {}
    for half, sources in halves.items():
        wanted = [n for n in sources if args.only in n] if half in args.half else []
        if wanted:
            print(f"{half:<18}  telea  median   ours   gain  expected  whole  covered  core-s")
        for name in wanted:
            one = score(name, *case(half, name, sources, args.size), remover, args.sheets)
            done.setdefault(half, []).append(one)
            print(row(one), flush=True)
    every = [one for rows in done.values() for one in rows]
    for half, rows in done.items():
        print(summary(half, rows))
    if {"tuned_on", "reported_on"} <= done.keys():
        tuned, reported = (
            np.mean([one.gain for one in done[half]]) for half in ("tuned_on", "reported_on")
        )
        print(f"gap: {tuned - reported:+.2f} dB")
    for half, rows in (*done.items(), ("all", every)):
        if len(rows) > 2:
            believed = [one.expected for one in rows]
            for what, true in (
                ("in the mask", [one.ours for one in rows]),
                ("over all that changed", [one.whole for one in rows]),
            ):
                off = np.mean(np.abs(np.subtract(believed, true)))
                rank = spearmanr(believed, true).statistic
                print(
                    f"fill_error, {half}, {what}: rank correlation {rank:.2f}, "
                    f"off by {off:.1f} dB on average"
                )


if __name__ == "__main__":
    main()
