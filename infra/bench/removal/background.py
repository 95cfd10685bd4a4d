"""What a removal gains by the still background of its shot, measured against known truth.

An object that moves by a third of its width is composited onto 33 frames from the middle of each
sample, so that most of what it hides no frame of these shows; the footage itself is the truth. The
remover fills it with and without the background that the build would keep of the whole sample,
which is made from the footage's own other frames and may have changed since. Of a sample whose
camera moves there is none. PSNR within the mask, the share that had to be invented, and by how many
dB the remover expects to be off.

    python infra/bench/removal/background.py                # all samples, by the split's tables
    python infra/bench/removal/background.py clip_park      # some
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from catalog import media
from catalog.media import crop_resize
from catalog.media.image import Transparent
from experts.annotate.motion.still_background import ShotBackgrounds
from experts.base import EditRequest
from experts.edit.remover import Remover
from experts.weights import fetch
from infra.bench.removal.cases import Case, line
from infra.bench.removal.run import FRAMES, composite, footage, psnr
from infra.bench.split import split

AREA = 0.04  # share of the picture that the object covers
PLACES = ((0.35, 0.45), (0.65, 0.6))
STEP = 0.06  # of the picture's width, a third of the object's


def background(name: str, first: int) -> Transparent | None:
    """As a build cuts the sample, in one shot with one clip."""
    path = fetch(name)
    found: list[Transparent] = []
    info = media.probe(path)
    watched = ShotBackgrounds(
        [(0, info.frames)],
        [(first, FRAMES)],
        info.fps,
        (info.height, info.width),
        lambda clips, picture: found.append(picture),
    )
    for _ in watched.watching(media.iter_frames(path)):
        pass
    watched.finish()
    return found[0] if found else None


def main() -> None:
    remover = Remover(threads=2)
    print(f"{'sample':<22}{'known':>6}{'PSNR':>7}{'with':>7}{'by_migan':>10}{'with':>6}", end="")
    print(f"{'expected':>10}{'with':>7}")
    for table in (split().tuned_on, split().reported_on):
        for name in sorted(table.keys() & set(sys.argv[1:] or table)):
            first = max(0, media.probe(fetch(name)).frames // 2 - FRAMES // 2)
            known = background(name, first)
            if known is None:
                print(f"{name:<22}  the camera moves, or it is too short", flush=True)
                continue
            for x, y in PLACES:
                _compare(remover, Case(name, name, first, "", line(x, y, x + STEP, y), AREA), known)
        print()


def _compare(remover: Remover, case: Case, known: Transparent) -> None:
    scene = composite(case, *footage(case))
    height, width = scene.frames.shape[1:3]
    fitted = crop_resize(known[None], (height, width))[0]
    results = [
        remover.edit(EditRequest("object_removal", scene.frames, scene.masks, params=params))
        for params in ({}, {"background": fitted})
    ]
    share = np.mean(fitted[..., 3] == 255)
    values = [[psnr(r.frames, scene.truth, scene.scored) for r in results]]
    values += [[float(r.info[key]) for r in results] for key in ("by_migan", "fill_error")]
    (plain, by), (painted, by_less), (expected, then) = values
    print(
        f"{case.name:<22}{share:>6.2f}{plain:>7.1f}{by:>7.1f}{painted:>10.2f}{by_less:>6.2f}"
        f"{expected:>10.1f}{then:>7.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
