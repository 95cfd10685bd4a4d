"""Cells of a notebook: a pair that plays, and a catalog in numbers.

A cell never raises: what cannot be read is said in its place. All text is escaped, since it comes
from file names, models and users. Styles are inline, and colours are the notebook's own.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import polars as pl

from catalog.errors import EditmillError, one_line
from catalog.notebook.player import GAP, player
from catalog.records import SCORES, TABLES, Pair
from catalog.storage.media import MediaStore

if TYPE_CHECKING:
    from catalog.releases import Catalog


def pair_cell(pair: Pair, media: MediaStore) -> str:
    """HTML of the pair: its video, or why there is none, its instruction and its facts."""
    try:
        video = _video(pair, media)
    except Exception as error:  # a cell that raises hides even what could be shown
        video = _failed("no video", error)
    try:
        return f"<div>{_paragraph(pair.instruction)}{video}{_facts(pair)}</div>"
    except Exception as error:
        return f"<div>{video}{_failed('facts cannot be shown', error)}</div>"


def catalog_cell(catalog: Catalog) -> str:
    """HTML of a catalog at a ref: pairs per task, rows per table, and the releases there are."""
    sections = []
    for title, make in (
        ("pairs per task", _tasks),
        ("tables", _tables),
        ("releases", _releases),
    ):
        try:
            sections.append(_section(title, make(catalog)))
        except Exception as error:
            sections.append(_failed(title, error))
    return (
        f"<div><b>{escape(str(catalog.root))}</b> at <b>{escape(catalog.ref)}</b>"
        f'<div style="display:flex;flex-wrap:wrap;gap:.6em 3em">{"".join(sections)}</div></div>'
    )


def _video(pair: Pair, media: MediaStore) -> str:
    made = player(pair, media)
    encoded = base64.b64encode(made.video).decode()
    titles = "".join(
        f'<span style="flex:0 0 {100 * made.panel_width / made.width:.2f}%">'
        f"{escape(_title(pair, panel))}</span>"
        for panel in made.panels
    )
    between = f"{100 * GAP / made.width:.2f}%"
    return (
        f'<div style="width:{made.width}px;max-width:100%">'
        f'<div style="display:flex;column-gap:{between};font-size:90%;opacity:.75">{titles}</div>'
        "<video controls autoplay loop muted playsinline "
        f'style="width:100%;height:auto;display:block" width="{made.width}" '
        f'height="{made.height}" src="data:video/mp4;base64,{encoded}"></video></div>'
    )


def _title(pair: Pair, panel: str) -> str:
    if panel == "mask":
        return panel
    return f"{panel}, generated" if panel == pair.generated_side else f"{panel}, footage"


def _facts(pair: Pair) -> str:
    verdict = "kept" if pair.keep else f"rejected: {pair.reason}"
    scores = [
        f"{name} {score:.2f}"
        for name in SCORES
        if (score := getattr(pair, f"{name}_score")) is not None
    ]
    source = (pair.source_width, pair.source_height, pair.source_frames, pair.source_fps)
    target = (pair.target_width, pair.target_height, pair.target_frames, pair.target_fps)
    sizes = [_size(*source)] if source == target else [_size(*source), _size(*target)]
    rows = [
        ("pair", pair.pair_id),
        ("task", pair.task),
        ("verdict", verdict),
        ("scores", ", ".join(scores) or "none measured"),
        ("size", " → ".join(sizes)),
        ("expert", f"{pair.expert} {pair.expert_version}"),
        ("licence", pair.licence),
    ]
    return _table((), rows)


def _size(width: int, height: int, frames: int, fps: float) -> str:
    return f"{width}×{height} px, {frames} frames at {fps:.4g} fps"


def _tasks(catalog: Catalog) -> str:
    counted = (
        catalog.pairs()
        .group_by("task")
        .agg(pl.len().alias("made"), pl.col("keep").sum().alias("kept"))
        .sort("task")
        .collect()
    )
    return _table(("task", "made", "kept"), counted.rows()) if len(counted) else "none yet"


def _tables(catalog: Catalog) -> str:
    rows = [
        (table, catalog.table(table).select(pl.len()).collect().item())
        for table in TABLES
        if table != "releases"  # they have a section of their own
    ]
    return _table(("table", "rows"), rows)


def _releases(catalog: Catalog) -> str:
    releases = catalog.releases()
    rows = [(release.tag, release.created_at[:19], release.notes) for release in releases]
    return _table(("tag", "created", "notes"), rows) if rows else "none yet"


def _section(title: str, content: str) -> str:
    return f'<div><div style="opacity:.75">{escape(title)}</div>{content}</div>'


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    cell = 'style="text-align:left;padding:.1em .8em .1em 0"'
    titles = "".join(f"<th {cell}>{escape(title)}</th>" for title in head)
    body = "".join(
        f"<tr>{''.join(f'<td {cell}>{escape(str(value))}</td>' for value in row)}</tr>"
        for row in rows
    )
    return f'<table style="margin:0">{f"<tr>{titles}</tr>" if head else ""}{body}</table>'


def _paragraph(text: str) -> str:
    return f'<div style="font-size:115%;margin:.3em 0">{escape(text)}</div>'


def _failed(what: str, error: Exception) -> str:
    why = str(error) if isinstance(error, EditmillError) else f"{type(error).__name__}: {error}"
    return f'<div style="color:#c0392b">{escape(f"{what}: {one_line(why)}")}</div>'
