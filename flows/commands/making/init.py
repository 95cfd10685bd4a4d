"""A recipe for a folder of footage: `editmill init`."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from rich.console import Console
from rich.progress import track

from catalog.errors import EditmillError, one_line, visible
from catalog.storage.files import write_bytes
from catalog.wording import counted
from experts.plan.rules import Planning
from flows.commands.making.footage import Objects, ReadableVideos, objects_in, probed
from flows.commands.making.recipe_text import recipe_text
from flows.recipe import parse
from flows.sources import folder
from flows.sources.folder import FolderSources
from flows.sources.source import Listing

REFUSALS = 5
"""Files that cannot be read that are named on the terminal; the rest is counted."""


def main(root: Path, out: Path, *, force: bool, as_json: bool) -> None:
    """Looks at the footage below `root`, writes the recipe to `out`, and says what was found.

    Raises EditmillError where `root` is no folder or has no video that can be read, and where `out`
    exists and `force` is not given.
    """
    if out.suffix not in {".yaml", ".yml"}:
        raise EditmillError(f"{out}: a recipe is YAML; name it *.yaml")
    if out.exists() and not force:
        raise EditmillError(f"{out}: is there already; name another --out, or replace it: --force")
    where = _absolute(root)
    listed = folder.find(FolderSources(kind="folder", path=where))
    screen = Console(stderr=True)
    found = probed(track(listed.files, "reading", console=screen, transient=True))
    if not found.videos:
        raise EditmillError(
            f"no video of {len(listed.files)} can be read; the first: {found.refused[0]}"
        )
    rules = Planning.model_fields["min_score"].default
    objects = objects_in(found.videos, rules)
    text = recipe_text(recipe_name(where), where, found, objects)
    parse(text, str(out))
    write_bytes(out, text.encode())
    if as_json:
        print(json.dumps(document(out, listed, found, objects)))
    else:
        _tell(out, listed, found, objects)


def document(
    out: Path, listed: Listing, found: ReadableVideos, objects: Objects
) -> dict[str, object]:
    """What was found, for machines."""
    return {
        "recipe": str(out),
        "videos": [
            {
                "name": video.file.name,
                "width": video.info.width,
                "height": video.info.height,
                "fps": round(video.info.fps, 3),
                "frames": video.info.frames,
                "seconds": round(video.info.duration, 2),
            }
            for video in found.videos
        ],
        "refused": found.refused,
        "left_out": listed.notes,
        "objects": dataclasses.asdict(objects),
    }


def recipe_name(where: Path) -> str:
    """The folder's name as a recipe's: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", one_line(where.name).lower()).strip("-") or "footage"


def _tell(out: Path, listed: Listing, found: ReadableVideos, objects: Objects) -> None:
    console = Console(highlight=False, soft_wrap=True)
    videos = found.videos
    for line in (
        f"{counted(len(videos), 'video')}, {_clock(found.seconds)} in all, {_sizes(found)}",
        *([f"{len(found.refused)} cannot be read:"] if found.refused else []),
        *(f"  {reason}" for reason in found.refused[:REFUSALS]),
        *([f"  and {len(found.refused) - REFUSALS} more"] if len(found.refused) > REFUSALS else []),
        *listed.notes,
        _seen(objects),
        *_doubtful(objects),
        f"{out}: written; edit it as you like, then",
        f"  editmill build {out} --out DATASET --dry-run    what it would make and take",
        f"  editmill build {out} --out DATASET",
    ):
        console.print(line, markup=False)


def _seen(objects: Objects) -> str:
    of = f"of {counted(objects.looked_at, 'video')} looked at"
    if not objects.videos:
        return f"No object was seen in any {of}: the recipe makes global edits only."
    return f"Objects, by how many {of}: " + ", ".join(
        f"{label} {count}" for label, count in objects.videos.items()
    )


def _doubtful(objects: Objects) -> list[str]:
    """A line for each label that one video had, and not surely."""
    return [
        f"  {label} in {visible(one.video)} alone, with a score of {one.score:.2f}: is it one? "
        "See the labels in the recipe"
        for label, one in objects.doubtful.items()
    ]


def _sizes(found: ReadableVideos) -> str:
    """Smallest and largest size and rate."""
    infos = [video.info for video in found.videos]
    by_size = sorted({(i.width * i.height, f"{i.width}×{i.height}") for i in infos})
    rates = sorted({round(i.fps, 2) for i in infos})
    sizes = _range([text for _, text in by_size])
    return f"{sizes} at {_range([f'{rate:g}' for rate in rates])} fps"


def _range(ordered: list[str]) -> str:
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d} h"
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def _absolute(root: Path) -> Path:
    """The folder by a path that holds wherever the recipe is used from.

    Raises EditmillError where YAML cannot hold its name.
    """
    try:
        where = root.expanduser().absolute()
        str(where).encode()
    except (UnicodeEncodeError, RuntimeError):  # bytes that are no UTF-8; `~nobody`
        raise EditmillError(
            f"{root}: a recipe cannot hold this name; rename the folder in UTF-8"
        ) from None
    return where
