"""Draws `docs/rendered.png`: scenes with their object, what the remover makes of them, the truth.

    python infra/bench/rendered/picture.py [SCENE ...] [--out docs/rendered.png]

About half a minute of one core a scene.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from catalog.storage.files import write_bytes
from experts.base import EditRequest
from experts.edit.remover import Remover
from infra.bench.rendered.load import RenderedScene, scene

SCENES = ("columns", "forest", "tower", "rain", "night")
"""Reported on, by split.toml."""
TITLES = ("with the object", "object removed by editmill", "truth: rendered without it")
CELL = (144, 240)
"""(height, width) px of a frame in the picture."""
GAP = 4
"""px between them."""
MOST_BYTES = 300_000


def drawn(made: RenderedScene, remover: Remover) -> np.ndarray:
    """A row: the middle frame with the object, without it as the remover makes it, and truth."""
    request = EditRequest(
        "object_removal", made.with_object, made.masks, params={"others": made.others}
    )
    middle = len(made.without) // 2
    columns = (made.with_object, remover.edit(request).frames, made.without)
    cells = [cv2.resize(c[middle], CELL[::-1], interpolation=cv2.INTER_AREA) for c in columns]
    return _beside(cells, axis=1)


def picture(names: Sequence[str]) -> np.ndarray:
    """RGB [H, W, 3]: titles and a row a scene."""
    remover = Remover()
    remover.load()
    rows = [drawn(scene(name), remover) for name in names]
    remover.close()
    head = np.full((20, rows[0].shape[1], 3), 255, np.uint8)
    for k, title in enumerate(TITLES):
        place = k * (CELL[1] + GAP), 14
        cv2.putText(head, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40,) * 3, 1, cv2.LINE_AA)
    return _beside([head, *rows], axis=0)


def _beside(parts: Sequence[np.ndarray], axis: int) -> np.ndarray:
    shape = list(parts[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, 255, np.uint8)
    return np.concatenate([each for part in parts for each in (part, gap)][:-1], axis=axis)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", nargs="*", default=SCENES)
    parser.add_argument("--out", type=Path, default=Path("docs/rendered.png"))
    options = parser.parse_args()
    encoded = io.BytesIO()
    few = Image.fromarray(picture(options.scenes)).quantize(256, kmeans=4)  # a third of the bytes
    few.save(encoded, "PNG", optimize=True)
    if encoded.tell() > MOST_BYTES:
        raise SystemExit(f"{encoded.tell()} bytes, more than {MOST_BYTES}: name fewer scenes")
    write_bytes(options.out, encoded.getvalue())
    print(f"{options.out}: {encoded.tell() / 1000:.0f} kB")


if __name__ == "__main__":
    main()
