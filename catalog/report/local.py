"""The report of a build of local-editing records: x, m, x̃ and captions, and their statistics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from catalog.query import Queries
from catalog.records import LocalEdit, Statistic
from catalog.report.build import counted, footage, make_previews, write_page
from catalog.report.plots import bars
from catalog.report.preview import Preview, local_preview
from catalog.report.summary import Summary

TITLES = {
    "task": "Records per task",
    "label": "Objects (whose shape the mask has)",
    "mask_kind": "Kinds of mask",
    "caption_short_words": "Short captions, words",
    "caption_medium_words": "Medium captions, words",
    "caption_long_words": "Long captions, words",
    "motion_foreground": "Motion inside the mask",
    "motion_background": "Motion outside the mask",
    "motion_relative": "Motion of one against the other",
}
"""What is plotted, in this order."""


@dataclass(frozen=True, slots=True)
class LocalCard:
    """What the template shows of a record; `video_error` is set where there is no preview."""

    edit: LocalEdit
    preview: Preview | None
    video_error: str
    facts: list[tuple[str, str]]
    details: list[tuple[str, str]]
    search: str  # lower case


def write_local_report(
    out: str | Path,
    edits: Sequence[LocalEdit],
    catalog: Queries,
    statistics: Sequence[Statistic],
    summary: Summary,
    cache: str | Path | None = None,
) -> Path:
    """Write the page for `edits`, in their order, to `out` and return its path.

    `statistics` are those of all records, `cache` is a folder that keeps previews. A record whose
    media cannot be read keeps its card, which says why. Raises EditmillError where the page or the
    cache cannot be written.
    """
    out = Path(out)
    made = make_previews(edits, lambda edit, kept: local_preview(edit, catalog, kept), cache)
    tasks = [s for s in statistics if s.name == "task"]
    write_page(
        out,
        "local.html.j2",
        summary=summary,
        cards=[_card(edit, preview) for edit, preview in zip(edits, made, strict=True)],
        scores=("area", "motion"),
        made={
            subset: sum(s.count for s in tasks if s.subset == subset)
            for subset in ("video", "image")
        },
        choices=[
            ("task", "Task", "all tasks", counted(e.task for e in edits)),
            ("kind", "Mask", "all kinds", counted(e.mask_kind for e in edits)),
            ("label", "Object", "all objects", counted(e.label for e in edits)),
        ],
        footage=footage((e.source_uri, e.licence) for e in edits),
        plots=_plots(statistics),
    )
    return out


def _plots(statistics: Sequence[Statistic]) -> list[Markup]:
    """Both subsets together; an image has no motion, so that is of videos."""
    plots = []
    for name, title in TITLES.items():
        counts: dict[str, int] = {}
        for bar in sorted((s for s in statistics if s.name == name), key=lambda s: s.position):
            counts[bar.value] = counts.get(bar.value, 0) + bar.count
        if counts:
            unit = ", px per frame" if name.startswith("motion") else ""
            plots.append(bars(title + unit, counts))
    return plots


def _card(edit: LocalEdit, made: Preview | str) -> LocalCard:
    length = f"{edit.frames} frames at {edit.fps:.4g} fps" if edit.subset == "video" else "1 frame"
    facts = [
        ("object", f"{edit.label}, {edit.mask_area:.1%} of the picture masked"),
        ("size", f"{edit.width}×{edit.height}, {length}"),
        ("caption by", edit.caption_by),
        ("licence", edit.licence),
        ("footage", edit.source_uri),
    ]
    if edit.motion_relative is not None:
        motion = (
            f"{edit.motion_foreground:.2f} inside, {edit.motion_background:.2f} outside, "
            f"{edit.motion_relative:.2f} between, px per frame"
        )
        facts.insert(2, ("motion", motion))
    if edit.propagation:
        facts.insert(2, ("mask moves", f"by {edit.propagation}"))
    details = [
        ("record", edit.edit_id),
        ("clip", f"{edit.clip_id}, from frame {edit.first_frame}"),
        ("crop", ", ".join(map(str, edit.crop))),
        ("track", edit.track_id),
        ("grown by", f"{edit.grow} px"),
        ("seed", str(edit.seed)),
        ("parameters", json.dumps(edit.params, sort_keys=True) if edit.params else "none"),
    ]
    captions = (edit.caption_short, edit.caption_medium, edit.caption_long)
    return LocalCard(
        edit=edit,
        preview=None if isinstance(made, str) else made,
        video_error=made if isinstance(made, str) else "",
        facts=facts,
        details=details,
        search=" ".join((*captions, edit.label, edit.edit_id)).lower(),
    )
