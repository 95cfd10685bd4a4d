"""How well the remover brings back what an object hid, measured against known truth.

An object cut from another clip is composited onto real footage, so the footage itself is the
truth. The object has soft edges; the mask handed to every method is its exact support grown by
`MASK_MARGIN` px, as real masks are. Three methods fill that mask and are compared by PSNR inside
it, over the whole clip:

- telea: `cv2.inpaint` frame by frame (Telea 2004);
- median: per pixel the median over the frames in which it is not masked, Telea where there is none;
- ours: `experts.edit.remover`.

Cases differ in camera (fixed, panning, zooming, hand-held) and in how the object moves. Cameras
marked "crop" are a window gliding over fixed-camera footage. In the `hidden` cases most of the
background is never visible: only inpainting is left, so they are listed apart and not part of the
mean. The `shadow` cases' object darkens the ground beside it, outside of the mask, and
the PSNR is over mask and shadow; in the `cross` cases a second object, which stays and belongs to
the truth, is occluded by the first; ours is given the masks of what is visible of it, as by the
tracker.

    python infra/bench/removal/run.py            # the table
    python infra/bench/removal/run.py --json     # the same, for machines
    python infra/bench/removal/run.py --case pan --sheets out/    # some cases, with contact sheets
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from catalog.media import crop_resize, fit_size, read_video
from experts.base import EditRequest, Frames, Masks
from experts.edit.remover import Remover
from experts.weights import fetch
from infra.bench.removal.cases import CASES, Case

FRAMES = 33  # SPEC: local edits
SIZE = (336, 592)  # SPEC: local edits, (h, w)
MASK_MARGIN = 3  # px added around the object's exact support
TELEA_RADIUS = 5.0  # px
SHADOW = 0.55  # factor of brightness in a case's shadow
SECOND_TINT = np.array([0.6, 0.8, 1.2], np.float32) * 0.8  # tells the crossing object apart


@dataclass(frozen=True)
class Scene:
    """What is known of a case: the truth, the frames and masks every method gets, `scored`, where
    the PSNR is taken, and `other`, the masks of what is seen of the second object."""

    truth: Frames
    frames: Frames
    masks: Masks
    scored: Masks
    other: Masks


def footage(case: Case) -> tuple[Frames, list[np.ndarray]]:
    """The case's clean frames, and per frame the 2×3 matrix from background to frame pixels."""
    path = fetch(case.clip)
    raw = read_video(path, case.first, FRAMES)
    h, w = fit_size(raw.shape[2], raw.shape[1], *SIZE)
    if case.crop is None:
        return crop_resize(raw, (h, w)), [np.eye(2, 3)] * len(raw)
    start, end = (np.array(window) for window in case.crop)
    widest = max(start[2], end[2]) * raw.shape[2]
    h, w = fit_size(int(widest), int(widest * SIZE[0] / SIZE[1]), *SIZE)
    frames, moves = [], []
    for t, frame in enumerate(raw):
        cx, cy, share = start + (end - start) * t / (len(raw) - 1)
        scale = w / (share * raw.shape[2])
        move = np.array(
            [
                [scale, 0.0, w / 2 - scale * cx * raw.shape[2]],
                [0.0, scale, h / 2 - scale * cy * raw.shape[1]],
            ]
        )
        frames.append(cv2.warpAffine(frame, move, (w, h), flags=cv2.INTER_CUBIC))
        moves.append(move)
    return np.stack(frames), moves


def cutout(area: float, size: tuple[int, int], donor: Frames) -> tuple[np.ndarray, np.ndarray]:
    """A textured object with a wavy outline and soft edges: RGB float and alpha 0–1."""
    h, w = size
    radius = math.sqrt(area * h * w / math.pi)
    n = int(radius * 1.5) * 2 + 1
    y, x = np.mgrid[:n, :n] - n // 2
    angle = np.arctan2(y, x * 0.8)
    outline = radius * (1 + 0.12 * np.sin(3 * angle) + 0.06 * np.sin(7 * angle + 1.0))
    distance = outline - np.hypot(x * 0.85, y / 0.85)
    alpha = np.clip(distance / 3.0 + 0.5, 0, 1)
    texture = cv2.resize(donor[: donor.shape[0], : donor.shape[0]], (n, n), interpolation=3)
    return texture.astype(np.float32), alpha.astype(np.float32)


def composite(case: Case, footage: Frames, moves: list[np.ndarray]) -> Scene:
    """The footage with the object on it, and what there is to know about it."""
    t_count, h, w = footage.shape[:3]
    donor_name = "clip_city" if case.clip != "clip_city" else "clip_bigbuckbunny"
    donor = read_video(fetch(donor_name), 60, 1)[0]
    texture, alpha = cutout(case.area, (h, w), donor[100:])
    truth, frames = footage.copy(), footage.copy()
    masks, scored, other = np.zeros((3, t_count, h, w), bool)
    grow = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * MASK_MARGIN + 1,) * 2)
    middle = len(moves) // 2
    anchor = cv2.invertAffineTransform(moves[middle])
    for t in range(t_count):
        if case.crossing is not None:
            x, y = case.crossing(t / (t_count - 1))
            a, obj = _placed(alpha[:, ::-1], texture[::-1] * SECOND_TINT, (x * w, y * h), (h, w))
            truth[t] = np.rint(truth[t] * (1 - a) + obj * a).astype(np.uint8)
            other[t] = a[..., 0] > 0.5
        px, py = case.path(t / (t_count - 1))
        centre = np.array([px * w, py * h, 1.0])
        if case.follows:
            centre = moves[t] @ np.append(anchor @ centre, 1.0)
        a, obj = _placed(alpha, texture, (centre[0], centre[1]), (h, w))
        under, dark = truth[t].astype(np.float32), np.zeros((h, w, 1), np.float32)
        if case.shadow:
            flat = _flat(alpha)
            foot = (centre[0] + 0.3 * len(alpha), centre[1] + 0.36 * len(alpha))
            dark = _placed(flat, flat, foot, (h, w))[0]
            under = under * (1 - (1 - SHADOW) * dark)
        frames[t] = np.rint(under * (1 - a) + obj * a).astype(np.uint8)
        masks[t] = cv2.dilate((a[..., 0] > 0).astype(np.uint8), grow) > 0
        scored[t] = masks[t] | (dark[..., 0] > 0.05)
        other[t] &= a[..., 0] < 0.5
    return Scene(truth, frames, masks, scored, other)


def _placed(
    alpha: np.ndarray, texture: np.ndarray, centre: tuple[float, float], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Alpha [h, w, 1] and colours of a cut-out whose middle lies at `centre` (x, y)."""
    rows, columns = alpha.shape[:2]
    place = np.array(
        [[1.0, 0.0, centre[0] - columns / 2], [0.0, 1.0, centre[1] - rows / 2]], dtype=np.float64
    )
    a = cv2.warpAffine(alpha, place, size[::-1], flags=cv2.INTER_LINEAR)[..., None]
    return a, cv2.warpAffine(texture, place, size[::-1], borderMode=cv2.BORDER_REPLICATE)


def _flat(alpha: np.ndarray) -> np.ndarray:
    """An outline laid down on the ground, with a soft edge."""
    low = cv2.resize(alpha, (len(alpha), max(3, len(alpha) // 3)), interpolation=cv2.INTER_AREA)
    padding = 9
    low = cv2.copyMakeBorder(low, padding, padding, padding, padding, cv2.BORDER_CONSTANT, value=0)
    return cv2.GaussianBlur(low, (0, 0), 2.5)


def telea(frames: Frames, masks: Masks) -> Frames:
    return np.stack(
        [
            cv2.inpaint(f, m.astype(np.uint8), TELEA_RADIUS, cv2.INPAINT_TELEA)
            for f, m in zip(frames, masks, strict=True)
        ]
    )


def temporal_median(frames: Frames, masks: Masks, fallback: Frames) -> Frames:
    """Median over the unmasked samples of each pixel; `fallback` where there are none."""
    out = frames.copy()
    y, x = np.nonzero(masks.any(0))
    hidden = masks[:, y, x]
    samples = np.where(hidden[..., None], np.nan, frames[:, y, x].astype(np.float32))
    samples[:, hidden.all(0)] = 0
    median = np.rint(np.nanmedian(samples, axis=0)).astype(np.uint8)
    for t in range(len(frames)):
        fill = np.where(hidden.all(0)[:, None], fallback[t, y, x], median)
        out[t, y, x] = np.where(hidden[t][:, None], fill, frames[t, y, x])
    return out


def psnr(a: Frames, b: Frames, where: Masks) -> float:
    """PSNR in dB over the pixels of `where`, all frames together."""
    error = np.mean((a[where].astype(np.float64) - b[where]) ** 2)
    return float(10 * np.log10(255.0**2 / max(error, 1e-9)))


def run(case: Case, remover: Remover, sheets: Path | None) -> dict[str, object]:
    scene = composite(case, *footage(case))
    truth, frames, masks = scene.truth, scene.frames, scene.masks
    by_telea = telea(frames, masks)
    by_median = temporal_median(frames, masks, by_telea)
    started, cpu_started = time.perf_counter(), time.process_time()
    params = {"others": [scene.other]} if case.crossing else {}
    result = remover.edit(EditRequest("object_removal", frames, masks, params=params))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    assert result.masks is not None
    outside = bool(np.array_equal(result.frames[~result.masks], frames[~result.masks]))
    scores = {
        "telea": psnr(by_telea, truth, scene.scored),
        "median": psnr(by_median, truth, scene.scored),
        "ours": psnr(result.frames, truth, scene.scored),
    }
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        best = by_telea if scores["telea"] > scores["median"] else by_median
        rows = [
            np.hstack([v[t] for v in (frames, truth, best, result.frames)])
            for t in (1, FRAMES // 3, FRAMES // 2, FRAMES - 4)
        ]
        cv2.imwrite(str(sheets / f"{case.name}.png"), np.vstack(rows)[..., ::-1])
    return {
        "case": case.name,
        "camera": case.camera,
        "never_visible": case.never_visible,
        "size": list(truth.shape[1:3]),
        "hidden": float(masks.mean()),
        **scores,
        "gain": scores["ours"] - max(scores["telea"], scores["median"]),
        "outside_identical": outside,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "info": dict(result.info),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--case", default="", help="only the cases whose name holds this text")
    parser.add_argument("--sheets", type=Path, help="write contact sheets into this folder")
    args = parser.parse_args()
    remover = Remover(threads=2)
    remover.load()
    rows = []
    if not args.json:
        print(
            f"{'case':<16}{'camera':<11}{'size':<10}{'telea':>7}{'median':>7}{'ours':>7}{'gain':>7}"
            f"{'s':>6}{'cpu':>6}  outside  filled by"
        )
    for case in CASES:
        if args.case not in case.name:
            continue
        row = run(case, remover, args.sheets)
        rows.append(row)
        if not args.json:
            outside = "same" if row["outside_identical"] else "CHANGED"
            shares = {k: v for k, v in row["info"].items() if isinstance(v, float)}  # type: ignore[attr-defined]
            print(
                f"{row['case']:<16}{row['camera']:<11}"
                f"{row['size'][0]}x{row['size'][1]:<6}"  # type: ignore[index]
                f"{row['telea']:7.2f}{row['median']:7.2f}{row['ours']:7.2f}{row['gain']:+7.2f}"
                f"{row['seconds']:6.1f}{row['cpu_seconds']:6.1f}  {outside:<7}  "
                + " ".join(f"{k} {v:.2f}" for k, v in shares.items()),
                flush=True,
            )
    seen = [float(row["gain"]) for row in rows if not row["never_visible"]]  # type: ignore[arg-type]
    summary = {
        "mean_gain": float(np.mean(seen)) if seen else None,
        "min_gain": float(np.min(seen)) if seen else None,
        "seconds": float(np.mean([row["seconds"] for row in rows])),  # type: ignore[misc]
        "cpu_seconds": float(np.mean([row["cpu_seconds"] for row in rows])),  # type: ignore[misc]
        "mask_margin_px": MASK_MARGIN,
    }
    if args.json:
        print(json.dumps({"cases": rows, "summary": summary}))
    elif seen:
        print(
            f"\nseen backgrounds: mean gain {summary['mean_gain']:+.2f} dB, "
            f"least {summary['min_gain']:+.2f} dB over the better baseline, "
            f"{summary['seconds']:.1f} s a clip ({summary['cpu_seconds']:.1f} s of one core)"
        )


if __name__ == "__main__":
    main()
