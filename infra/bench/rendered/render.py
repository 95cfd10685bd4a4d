"""Renders the scenes anew and stores them in `clips/`; needs Blender 3.4 (`apt install blender`).

    python infra/bench/rendered/render.py                  # all
    python infra/bench/rendered/render.py square night     # some
    python infra/bench/rendered/render.py --work DIR ...   # keeps what Blender writes, and goes on

A scene takes one to three minutes on two free cores (at 8 samples a pixel 1.4 core-seconds a frame
and version).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from catalog.media import write_video
from infra.bench.rendered.develop import denoised, exposed, layer
from infra.bench.rendered.exr import read_exr
from infra.bench.rendered.load import CLIPS, DEPTH_UNIT, FLOW_UNIT, FLOW_ZERO, HERE, stride, table

FPS = 24.0
CRF = 14
"""libx264's; the catalog stores at 18."""
SCENE_BYTES = 850_000
"""Of a scene: a dozen of them are to take 10 MB at most."""
FAR = 1e9
"""m; Blender gives the sky a depth of 1e10."""


def blender(name: str, folder: Path) -> None:
    """Render the scene's frames into `folder`, unless they are all there."""
    if (folder / "done").exists():
        return
    script = ["blender", "-b", "--factory-startup", "-P", str(HERE / "blender" / "scenes.py")]
    subprocess.run([*script, "--", name, str(folder)], check=True, stdout=subprocess.DEVNULL)
    for version in folder.glob("*/"):  # Blender goes on where the disk is full
        if len({path.stat().st_size for path in version.iterdir()}) != 1:
            raise SystemExit(
                f"{version}: files are cut short; is the disk full? Delete them, render again"
            )
    (folder / "done").touch()


def store(name: str, folder: Path) -> int:
    """Develop, encode and store the scene that lies in `folder`; returns its size in bytes."""
    entry, out = table()[name], CLIPS / name
    out.mkdir(parents=True, exist_ok=True)
    look = {key: entry[key] for key in ("exposure", "monochrome", "grain") if key in entry}
    step = stride(name)
    crf = int(entry.get("crf", CRF))  # type: ignore[call-overload]
    coverage = []
    for version in ("with", "without"):
        frames = []
        for t, path in enumerate(sorted((folder / version).glob("*.exr"))):
            passes = read_exr(path)
            frames.append(exposed(denoised(passes), seed=t, **look))  # type: ignore[arg-type]
            if version == "with":
                coverage.append(layer(passes, "coverage", "X")[..., 0])
        write_video(out / f"{version}.mp4", frames, FPS, crf)
    labels = [layer(read_exr(p), "IndexOB", "X")[..., 0] for p in sorted(folder.glob("labels/*"))]
    truth = [read_exr(path) for path in sorted(folder.glob("truth/*"))]
    depth = np.stack([layer(p, "Depth", "Z")[::step, ::step, 0] for p in truth])
    cameras = json.loads((folder / "cameras.json").read_text())
    flow = np.stack(
        [
            _flow(passes, now, then, step)
            for passes, now, then in zip(truth[:-1], cameras, cameras[1:], strict=False)
        ]
    )
    (out / "cameras.json").write_text(json.dumps(cameras))
    _write_strip(out / "coverage.png", np.clip(np.rint(255 * np.stack(coverage)), 0, 255), np.uint8)
    _write_strip(out / "labels.png", np.stack(labels), np.uint8)
    _write_strip(
        out / "depth.png", np.where(depth < FAR, np.rint(depth * DEPTH_UNIT), 0), np.uint16
    )
    planes = np.moveaxis(np.rint(flow * FLOW_UNIT) + FLOW_ZERO, -1, 0)
    _write_strip(out / "flow.png", planes.reshape(-1, *planes.shape[2:]), np.uint16)
    return sum(path.stat().st_size for path in out.iterdir())


def _flow(passes: dict[str, np.ndarray], now: dict, then: dict, step: int) -> np.ndarray:
    """Where each sampled pixel goes until the next frame, [h, w, 2], px. `now` and `then` are of
    `cameras.json`.

    Blender's vectors Z, W lead from the next frame's place to this one's; its y points up. They
    take no zoom into account, and the sky has none: it only turns.
    """
    depth = layer(passes, "Depth", "Z")[..., 0]
    y, x = np.indices(depth.shape)
    start = np.dstack([x, y]) - (np.array(depth.shape[::-1]) - 1) / 2  # from the middle
    end = (start + layer(passes, "Vector", "ZW") * (-1, 1)) * then["focal"] / now["focal"]
    turn = np.array(then["pose"])[:3, :3] @ np.array(now["pose"])[:3, :3].T
    turned = np.dstack([start / now["focal"], np.ones(depth.shape)]) @ turn.T
    sky = depth >= FAR
    end[sky] = (then["focal"] * turned[..., :2] / turned[..., 2:])[sky]
    moved: np.ndarray = (end - start)[::step, ::step]
    return moved


def _write_strip(path: Path, pictures: np.ndarray, dtype: type) -> None:
    """[N, h, w] as one lossless PNG, one below the other."""
    strip = pictures.reshape(-1, pictures.shape[-1]).astype(dtype)
    if not cv2.imwrite(str(path), strip, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise OSError(f"{path}: could not be written")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", nargs="*", help="names of scenes.toml; all by default")
    parser.add_argument("--work", type=Path, help="folder for what Blender writes, kept")
    options = parser.parse_args()
    for name in options.scenes or table():
        with tempfile.TemporaryDirectory() as temporary:
            folder = (options.work or Path(temporary)) / name
            blender(name, folder)
            size = store(name, folder)
        print(f"{name}: {size / 1000:.0f} kB", flush=True)
        if size > SCENE_BYTES:
            raise SystemExit(
                f"{name}: above {SCENE_BYTES / 1000:.0f} kB; raise its crf in scenes.toml"
            )


if __name__ == "__main__":
    main()
