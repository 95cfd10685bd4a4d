"""How often does each rule for footage refuse what it should, and how often good footage?

    python infra/bench/footage/run.py --more FOLDER --pages a.html b.html c.html d.html

Sources are the sample clips and every video in `--more`. Those of TUNED_ON are what the thresholds
were chosen on; the rest, with other logos, pages and texts, are only reported on. Each case is
encoded (H.264, CRF 26), decoded, sampled twice a second and judged by the default rules.
Prints both halves, each measure's range, and what went wrong by name; with `--cost-only` the cost
beside decoding and shot detection. Half of `--pages` go to either half.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from cases import (
    FIXED,
    NORMAL,
    SECONDS,
    ZOOMED,
    Case,
    clip,
    of_clip,
    of_clips,
)
from overlays import FPS, HELD_OUT_OVERLAYS, TUNING_OVERLAYS
from screens import credits, editor, pages

from catalog.media import iter_frames, probe, write_video
from experts.annotate.shots import ShotDetector
from experts.weights import fetch
from filters.footage.measurer import FootageMeasurer
from filters.footage.models import FootageModels, models_for
from filters.footage.rules import FootageRules, refusal
from filters.footage.sampled import LONG_SIDE

TUNED_ON = ("city", "bikes", "squirrel", "cup", "dance", "carphone", "cockatoo")
CLIPS = ("city", "bikes", "squirrel", "motorway", "pedestrians", "bigbuckbunny")
RULES = FootageRules()
SHOWN = (
    "black_share", "static_share", "slide_share", "drawn_area", "flat_area", "text_area",
    "overlay_area", "nsfw", "face_share",
)  # fmt: skip


def sampled(path: Path, per_second: float = 2.0) -> Iterator[tuple[float, np.ndarray]]:
    """Time and frame, at LONG_SIDE."""
    info = probe(path)
    stride = max(1, round(info.fps / per_second))
    scale = min(1.0, LONG_SIDE / max(info.width, info.height))
    size = (round(info.height * scale), round(info.width * scale))
    for k, frame in enumerate(iter_frames(path, stride=stride, size=size)):
        yield k * stride / info.fps, frame


def judged(path: Path, models: FootageModels) -> tuple[str, dict[str, float]]:
    """The reason of the refusal, empty for none, and the measures."""
    measurer = FootageMeasurer(models)
    for time_s, frame in sampled(path):
        measurer.add(time_s, frame)
    measures = measurer.measures()
    info = probe(path)
    found = refusal(measures, RULES, info.width, info.height, info.frames / info.fps)
    return found[0] if found else "", measures


def screens(half: int, addresses: Sequence[str], text: str) -> Iterator[Case]:
    length = FPS * SECONDS
    code = Path(__file__).read_text(encoding="utf-8")
    yield Case("screen_recording", "editor", "drawn", lambda: editor(code, length, half == 0))
    yield Case("text_heavy", "credits", "drawn", lambda: credits(text, length, 6 + 4 * half))
    for name, frames in pages(addresses, length):
        yield Case("screen_recording", "page", name, lambda frames=frames: frames)


def cases(sources: dict[str, Path], addresses: Sequence[str]) -> Iterator[tuple[str, Case]]:
    words = " ".join(Path(__file__).with_name("cases.py").read_text("utf-8").split())
    for half, title in enumerate(("tuned on", "held out")):
        clips = {n: clip(p) for n, p in sources.items() if (n in TUNED_ON) == (half == 0)}
        overlays = (TUNING_OVERLAYS, HELD_OUT_OVERLAYS)[half]
        text = words[2000 * half :][:1500]
        for name, frames in clips.items():
            for case in of_clip(name, frames, overlays):
                yield title, case
        for case in of_clips(clips, overlays, text):
            yield title, case
        for case in screens(half, addresses[half::2], text):
            yield title, case


def table(rows: list[dict]) -> None:
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for row in rows:
        groups.setdefault((row["reason"], row["name"], row["half"]), []).append(row)
    print("| footage | kind | half | videos | refused | as it should | " + " | ".join(SHOWN) + " |")
    print("|---" * (6 + len(SHOWN)) + "|")
    for (reason, name, half), group in sorted(groups.items()):
        refused = sum(bool(r["found"]) for r in group)
        right = sum(r["found"] == ("" if reason == NORMAL else reason) for r in group)
        ranges = []
        for key in SHOWN:
            values = [r["measures"][key] for r in group if key in r["measures"]]
            ranges.append(f"{min(values):.3g}–{max(values):.3g}" if values else "")
        print(f"| {reason} | {name} | {half} | {len(group)} | {refused} | {right} |", end=" ")
        print(" | ".join(ranges), "|")


def summary(rows: list[dict]) -> None:
    print("\n| | tuned on | held out |\n|---|---|---|")
    reasons = [NORMAL, *sorted({r["reason"] for r in rows} - {NORMAL, FIXED, ZOOMED})]
    for reason in [*reasons, FIXED, ZOOMED]:
        cells = []
        for half in ("tuned on", "held out"):
            group = [r for r in rows if r["reason"] == reason and r["half"] == half]
            cells.append(f"{sum(bool(r['found']) for r in group)} of {len(group)}")
        print(f"| {reason}, refused | {' | '.join(cells)} |")
    for row in rows:
        if row["reason"] == NORMAL and row["found"]:
            print(f"- refused wrongly: {row['half']}, {row['source']}, {row['name']}", row["found"])
        if row["reason"] not in (NORMAL, FIXED, ZOOMED, row["found"]):
            found = row["found"] or "not found"
            print(f"- {row['half']}, {row['source']}, {row['name']} ({row['reason']}): {found}")


def cost(paths: Sequence[Path], rounds: int = 3) -> None:
    """Core-seconds of measuring, beside decoding with shot detection, in turns; medians."""
    detector, models = ShotDetector(), models_for(FootageRules())
    detector.load()
    for model in models.used:
        model.load()

    def timed(work) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    print("\n| clip | samples | decode + shots, core-s | measure | share | text | share |")
    print("|---|---|---|---|---|---|---|")
    for path in paths:
        frames = list(sampled(path))

        def measure(parts: FootageModels, frames=frames) -> None:
            measurer = FootageMeasurer(parts)
            for time_s, frame in frames:
                measurer.add(time_s, frame)
            measurer.measures()

        taken = []
        for _ in range(rounds):
            base = timed(lambda path=path: detector.shots(path))
            # With text's running sums, without its network
            plain = timed(lambda: measure(dataclasses.replace(models, text=_Blind())))
            taken.append((base, plain, timed(lambda: measure(models)) - plain))
        base, plain, text = (statistics.median(column) for column in zip(*taken, strict=True))
        print(
            f"| {path.name} | {len(frames)} | {base:.2f} | {plain:.3f} | {plain / base:.1%} |",
            end="",
        )
        print(f" {text:.2f} | {text / base:.1%} |")


class _Blind:
    """A text detector that sees nothing, so that the rest can be timed."""

    name, version = "blind", "1"

    def load(self) -> None: ...

    def close(self) -> None: ...

    def look(self, frames: np.ndarray) -> dict[str, float]:
        return {"text_area": 0.0}

    def lines(self, frame: np.ndarray) -> np.ndarray:
        return np.zeros(frame.shape[:2], bool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--more", type=Path, nargs="*", default=[], help="folders of videos")
    parser.add_argument("--pages", nargs="*", default=[], help="HTML files to record")
    parser.add_argument("--json", type=Path, help="where to write every case's measures")
    parser.add_argument("--cost-only", action="store_true", help="time it, judge nothing")
    options = parser.parse_args()
    sources = {name: Path(fetch(f"clip_{name}")) for name in CLIPS}
    if options.cost_only:
        cost([sources["city"], sources["squirrel"]])
        return
    for folder in options.more:
        sources |= {p.stem: p for p in sorted(folder.iterdir()) if p.suffix in (".mp4", ".avi")}
    models, rows = models_for(RULES), []
    every = models_for(RULES.model_copy(update={"faces": True, "nsfw": True}))
    for name, path in sources.items():
        found, measures = judged(path, every)
        half = "tuned on" if name in TUNED_ON else "held out"
        rows.append(dict(half=half, reason=NORMAL, name="original", source=name, found=found,
                         measures=measures))  # fmt: skip
    addresses = [Path(page).resolve().as_uri() for page in options.pages]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.mp4"
        for half, case in cases(sources, addresses):
            write_video(path, case.frames(), FPS, 26)
            found, measures = judged(path, models)
            rows.append(dict(half=half, reason=case.reason, name=case.name, source=case.source,
                             found=found, measures=measures))  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(rows))
    table(rows)
    summary(rows)


if __name__ == "__main__":
    main()
