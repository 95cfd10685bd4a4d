"""Random pairs as one picture: `editmill sheet`."""

from __future__ import annotations

import json
from pathlib import Path

import catalog
from catalog.errors import EditmillError
from catalog.keeping.erased import kept_path
from catalog.media.image import write_png
from catalog.report.sheet import many_sheet
from catalog.wording import counted


def show(
    root: str | Path,
    out: Path,
    *,
    kept: bool,
    task: str | None,
    count: int,
    seed: int,
    ref: str,
    as_json: bool,
) -> None:
    """Writes the picture and says what is on it, and of how many pairs a video cannot be read.

    Raises EditmillError where there is no such pair, and where `out` is no PNG or cannot be
    written.
    """
    if out.suffix.lower() != ".png":
        raise EditmillError(f"{out}: the picture is a PNG; name it *.png")
    dataset = catalog.open(root, ref=ref)
    samples = dataset.sample(task, count, seed, keep=kept)
    pairs = sorted((sample.record for sample in samples), key=lambda p: (p.task, p.pair_id))
    which = "kept" if kept else "rejected"
    if not pairs:
        raise EditmillError(
            f"{root}: has no {which} pair{f' of {task}' if task else ''} at {ref}; `editmill "
            'query "select task, keep, count(*) n from pairs group by task, keep"` counts them'
        )
    sheet = many_sheet(pairs, kept_path(dataset.media))
    write_png(out, sheet.picture)
    if as_json:
        ids = [p.pair_id for p in pairs]
        print(json.dumps({"out": str(out), "pairs": ids, "unreadable": sheet.unreadable}))
        return
    grey = ""
    if sheet.unreadable:
        first = next(iter(sheet.unreadable.values()))
        grey = f", {len(sheet.unreadable)} with grey cells for want of a video; the first: {first}"
    print(f"{out}: {counted(len(pairs), f'{which} pair')}{grey}")
