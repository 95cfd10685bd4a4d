"""How often the quality filter drops what is right and keeps what is broken, on footage that
neither its training nor its thresholds saw. The result is in infra/bench/results/quality.md.

    python infra/bench/quality/unseen.py [--only tuned_on reported_on rendered]
        [--footage VIDEO ...] [--windows 3] [--models FILE ...] [--sheets FOLDER] [--tasks TASK ...]

Cases are those of infra/bench/quality/{cases,styles}.py, judged by the real filter and the model it
ships: removals of all windows, the same read backwards as additions, and of each real source's
first window a swap, a style of all and one of the object. Sources of `tuned_on`
(infra/bench/split.toml) are judged by the folds that were not trained on them, so each is held out
in turn; those of `reported_on`, videos given by --footage and the rendered scenes no training saw.
A breakage that does not show on a case is left out of it. Several models judge the same pairs. A
case takes 12 core-seconds, for the most part to write and read its sixteen videos.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from catalog.keys import file_digest
from catalog.media import sample_frames, write_video
from catalog.media.image import write_png
from experts.base import Frames
from experts.weights import fetch
from filters.base import FRAMES, PairFrames, Verdict
from filters.encoder.embedded import EmbeddedEncoder
from filters.features import describe
from filters.quality.filter import QualityFilter
from filters.quality.model import SHIPPED
from filters.samples import LONG_SIDE, pair_sample
from infra.bench.quality.cases import (
    BROKEN,
    SHAPES,
    Case,
    composite,
    rendered_case,
    visible,
    windows,
)
from infra.bench.quality.styles import GLOBAL, LOCAL, STYLES_BROKEN, style_cases
from infra.bench.rendered.load import names as rendered_scenes
from infra.bench.split import split

RIGHT = "right"
FAMILIES = {
    "frozen": ("frozen", "frozen late", "frozen frame"),
    "untouched": ("untouched",),
    "half-done": ("half of the time", "half of the region", "third of the region"),
    "black": ("black",),
    "smeared": ("smeared", "smeared along", "inpainted"),
    "posterised": ("posterised",),
    "colours lost": ("colours", "grey", "garish"),
    "mask loses a part": ("limb", "limb late", "limb at times"),
    "others": ("ghost", "residue", "flicker", "wrong place"),
}
DONORS = ("clip_city", "clip_bigbuckbunny", "clip_bikes")
"""Footage that objects are textured with."""

REMOVAL, SWAP, ADDITION = "object_removal", "object_swap", "object_addition"

TASKS = (REMOVAL, ADDITION, SWAP, GLOBAL, LOCAL)

PARTS = ("tuned_on", "reported_on", "rendered")


Cases = Iterator[tuple[int, str, Case, Frames]]
"""Number, task, case, and the right made side."""


def cases(name: str, path: Path, donors: Mapping[str, Frames], count: int) -> Cases:
    """Of a source's windows; a swap puts another object in the same place."""
    others = [frames for donor, frames in donors.items() if donor != name][:2]
    found = list(windows(path, count))
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:6], 16)
    for i in range(count):
        shape = SHAPES[(i + seed) % len(SHAPES)]
        one, other = (
            composite(name, found[i % len(found)], donor, shape, np.random.default_rng((seed, i)))
            for donor in others
        )
        yield i, REMOVAL, one, one.truth
        if i == 0:
            yield i, SWAP, one, other.frames
            for task, case, made in style_cases(one, seed):
                yield i, task, case, made


def sources(part: str, footage: Sequence[Path], count: int) -> Iterator[tuple[str, str, Cases]]:
    """Name, source id and cases of each source of a part."""
    if part == "rendered":
        for name in rendered_scenes():
            case = rendered_case(name)
            yield name, name, iter([(0, REMOVAL, case, case.truth)])
        return
    donors = {name: next(windows(fetch(name), 1)) for name in DONORS}
    slots = split().tuned_on if part == "tuned_on" else split().reported_on
    paths = {name: fetch(name) for name in slots}
    if part == "reported_on":
        paths |= {path.stem: path for path in footage}
    for name, path in paths.items():
        yield name, file_digest(path), cases(name, path, donors, count)


def versions(case: Case, made: Frames, seed: int) -> Iterator[tuple[str, Frames]]:
    """The right made side, and all broken ones that show."""
    yield RIGHT, made
    rng = np.random.default_rng(seed)
    for kind, broken in (STYLES_BROKEN if case.prompt else BROKEN).items():
        frames = broken(case.frames, made, case.masks, rng)
        if visible(made, frames, case.masks):
            yield kind, frames


def samples(
    task: str, case: Case, made: Frames, source_id: str, seed: int
) -> dict[str, PairFrames]:
    """By kind, as a build would store and read them. The real side is the composite."""
    out: dict[str, PairFrames] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "side.mp4"

        def stored(frames: Frames) -> Frames:
            write_video(path, frames, fps=24)
            return sample_frames(path, FRAMES, LONG_SIDE)

        real, mask = stored(case.frames), None
        for kind, frames in versions(case, made, seed):
            read = stored(frames)
            sides = (read, real) if task == SWAP else (real, read)
            masks = None if task == GLOBAL else case.masks
            sample = pair_sample(
                task=task, source=sides[0], target=sides[1], masks=masks, prompt=case.prompt,
                label="", instruction="", source_id=source_id, sizes=(case.truth.shape[1:3],) * 2,
            )  # fmt: skip
            mask = sample.mask if mask is None else mask
            # The same arrays: what is measured of the real side is measured once.
            out[kind] = dataclasses.replace(sample, mask=mask)
    return out


def additions(removals: Mapping[str, PairFrames]) -> dict[str, PairFrames]:
    """The same pairs read backwards, as a build makes its additions."""
    return {
        kind: dataclasses.replace(
            sample, task=ADDITION, source=sample.target, target=sample.source, made="source"
        )
        for kind, sample in removals.items()
    }


def sheet(found: dict[str, PairFrames], verdicts: dict[str, Verdict], path: Path) -> None:
    """All versions of a case at three of their frames, with their scores and reasons."""
    rows = []
    for kind, sample in found.items():
        real, made = sample.sides
        picked = [f for t in (2, 8, 14) for f in (real[t], made[t])]
        row = np.hstack([cv2.resize(f, (240, 240 * f.shape[0] // f.shape[1])) for f in picked])
        verdict = verdicts[kind]
        said = f"{kind} {verdict.score or 0.0:.2f} {verdict.reason}"
        cv2.putText(row, said, (6, 16), 0, 0.5, (255, 40, 40), 1)
        rows.append(row)
    write_png(path, np.vstack(rows))


def report(title: str, found: Sequence[tuple[str, str, str, bool]]) -> None:
    """Rows of (task, source, kind, kept) as a table: dropped of the right, kept of the broken."""
    print(f"\n{title}: {len({row[1] for row in found})} sources")
    for task in dict.fromkeys(row[0] for row in found):
        kept: dict[str, list[bool]] = defaultdict(list)
        for _, _, kind, keep in (row for row in found if row[0] == task):
            kept[kind].append(keep)
        right = kept.pop(RIGHT)
        print(f"  {task}: {1 - np.mean(right):.1%} of {len(right)} right ones dropped; kept of")
        for family, kinds in FAMILIES.items():
            every = [k for kind in kinds for k in kept[kind]]
            each = ", ".join(f"{k} {np.mean(kept[k]):.1%}" for k in kinds if kept[k])
            if every:
                print(f"    {family:<17} {np.mean(every):6.1%} of {len(every):<4} ({each})")
    for source in dict.fromkeys(row[1] for row in found):
        own = [row for row in found if row[1] == source]
        right = [not row[3] for row in own if row[2] == RIGHT]
        bad = [row[3] for row in own if row[2] != RIGHT]
        wrong = sorted({row[2] for row in own if row[2] != RIGHT and row[3]})
        print(
            f"    {source:<20} right dropped {sum(right)}/{len(right)}, broken kept "
            f"{sum(bad)}/{len(bad)} {', '.join(wrong)}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--footage", type=Path, nargs="*", default=[], metavar="VIDEO")
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=TASKS)
    parser.add_argument("--models", type=Path, nargs="*", default=[SHIPPED])
    parser.add_argument("--sheets", type=Path)
    options = parser.parse_args()
    encoder = EmbeddedEncoder()
    judges = {path: QualityFilter(encoder, path) for path in options.models}
    for part in options.only:
        rows: dict[Path, list[tuple[str, str, str, bool]]] = {path: [] for path in judges}
        for name, source_id, own in sources(part, options.footage, options.windows):
            start = time.process_time()
            for i, task, case, made in own:
                if task not in options.tasks:
                    continue
                found = {task: samples(task, case, made, source_id, i)}
                if task == REMOVAL:
                    found[ADDITION] = additions(found[REMOVAL])
                for kind_of, pairs in found.items():
                    every = list(pairs.values())
                    features = describe(every, encoder)
                    for path, judge in judges.items():
                        verdicts = dict(zip(pairs, judge.verdicts(every, features), strict=True))
                        rows[path] += [
                            (kind_of, name, kind, v.keep) for kind, v in verdicts.items()
                        ]
                if options.sheets:
                    sheet(pairs, verdicts, options.sheets / f"{name}-{i}-{task}.png")
            print(f"{part} {name}: {time.process_time() - start:.0f} core-s", flush=True)
        for path, judged_by in rows.items():
            report(f"{part}, by {path.stem}", judged_by)


if __name__ == "__main__":
    main()
