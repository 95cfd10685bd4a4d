"""Laying a dataset out for a trainer, a judge or a hub: `editmill export`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from rich.console import Console

import catalog
from catalog.export.formats import FORMATS, format_named
from catalog.export.pairs.splits import parse_splits
from catalog.export.run import WHOLE, Exported, export
from catalog.wording import counted


def names() -> list[str]:
    """What the formats are called."""
    return list(FORMATS)


def listed() -> str:
    """The formats as Markdown, each with what reads it."""
    return "\n\n".join(f"`{one.name}` · {one.reader}" for one in FORMATS.values())


def show(
    uri: str,
    format_name: str,
    out: Path,
    *,
    ref: str,
    where: str | None,
    splits: str | None,
    copy: bool,
    as_json: bool,
) -> None:
    """Exports and prints what was done, as text or as JSON.

    Raises EditmillError for a name that is no format's, and as :func:`catalog.export.run.export`.
    """
    format = format_named(format_name)
    shares = WHOLE if splits is None else parse_splits(splits)
    done = export(
        catalog.open(uri, ref=ref), format, out, where=where, splits=shares, link=not copy
    )
    if as_json:
        print(json.dumps(dataclasses.asdict(done)))
    else:
        Console().print(describe(done), highlight=False, soft_wrap=True, markup=False)


def describe(done: Exported) -> str:
    """The summary in a few lines."""
    records = ", ".join(f"{split} {count}" for split, count in done.splits.items())
    files = ", ".join(f"{what} {count}" for what, count in done.files.items())
    total = sum(done.splits.values())
    lines = [
        f"{done.out}: {counted(total, 'record')} of {done.ref} for {done.reader} ({records})",
        f"{counted(sum(done.files.values()), 'file')} ({files}), {done.bytes / 1e6:.1f} MB",
    ]
    if done.signed:
        carry = "video carries" if done.signed == 1 else "videos carry"
        lines.append(f"{done.signed} generated {carry} content credentials")
    for name in done.empty:
        lines.append(
            f"{name}: empty, no source fell into it; export more sources, or a larger share"
        )
    lines += [f"left out: {count} {reason}" for reason, count in done.left_out.items()]
    if not done.made:
        lines.append("all of it was there: nothing to do")
    elif done.linked:
        lines.append(
            f"{counted(done.made, 'file')} made, {done.linked} of them hard links to the catalog's "
            "media: never write to them in place (--copy makes copies)"
        )
    else:
        lines.append(f"{counted(done.made, 'file')} made")
    return "\n".join(lines)
