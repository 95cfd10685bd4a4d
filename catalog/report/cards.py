"""A pair in the words and numbers of its card on the page."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from catalog.records import Pair, asked
from catalog.report.preview import Preview
from catalog.report.summary import ThresholdLine
from catalog.wording import counted

KEPT_ASIDE = frozenset({"abstained", "not_measured"})
"""Reasons that come with a keep: the filter did not judge the pair."""

State = Literal["passed", "failed", "aside"]


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """One score as a bar. Positions are shares of the bar's length, 0–1."""

    name: str
    value: float | None
    filled: float
    threshold: float | None
    mark: float | None
    rule: str  # "≥ 0.600"
    state: State
    note: str  # the filter's reason, in words


@dataclass(frozen=True, slots=True)
class PairCard:
    """What the template shows of a pair; `video_error` is set where there is no preview."""

    pair: Pair
    preview: Preview | None
    video_error: str
    reason: str
    scores: list[ScoreBar]
    facts: list[tuple[str, str]]
    details: list[tuple[str, str]]
    links: list[tuple[str, str]]  # what, relative address
    search: str  # lower case


def words(name: str) -> str:
    """A machine word as words: `object_removal` → `object removal`."""
    return name.replace("_", " ")


def axes(
    pairs: Sequence[Pair], thresholds: Sequence[ThresholdLine]
) -> dict[str, tuple[float, float]]:
    """Per score, the range its bars span.

    0–1, but the next tenth above the largest value where all are small: a CLIP similarity lives
    below 0.4 and would be a stub on the whole range. Below 0 where a value is.
    """
    spans = {}
    for name in asked(pairs):
        values = [v for pair in pairs if (v := _score(pair, name)[0]) is not None]
        values += [line.value for line in thresholds if line.score == name]
        top = max(values, default=1.0)
        high = 1.0 if top > 0.5 else max(0.1, math.ceil(top * 10) / 10)
        spans[name] = (min(0.0, *values, 0.0), max(high, top))
    return spans


def card(
    pair: Pair,
    made: Preview | str,
    thresholds: Sequence[ThresholdLine],
    spans: dict[str, tuple[float, float]],
    media: Callable[[str], Path],
    page: Path,
) -> PairCard:
    """The card of a pair with its preview, or with the reason why there is none."""
    return PairCard(
        pair=pair,
        preview=None if isinstance(made, str) else made,
        video_error=made if isinstance(made, str) else "",
        reason=words(pair.reason),
        scores=[_bar(pair, name, thresholds, span) for name, span in spans.items()],
        facts=_facts(pair),
        details=_details(pair),
        links=_links(pair, media, page),
        search=" ".join(
            (
                pair.instruction,
                pair.enhanced_instruction,
                pair.prompt,
                pair.target_prompt,
                pair.label,
                pair.caption,
                pair.pair_id,
            )
        ).lower(),
    )


def _score(pair: Pair, name: str) -> tuple[float | None, str]:
    return getattr(pair, f"{name}_score"), getattr(pair, f"{name}_reason")


def _threshold(lines: Sequence[ThresholdLine], score: str, task: str) -> ThresholdLine | None:
    of_score = {line.task: line for line in lines if line.score == score}
    return of_score.get(task, of_score.get(""))


def _bar(
    pair: Pair, name: str, thresholds: Sequence[ThresholdLine], span: tuple[float, float]
) -> ScoreBar:
    value, reason = _score(pair, name)
    line = _threshold(thresholds, name, pair.task)
    low, high = span

    def place(number: float) -> float:
        return (number - low) / (high - low)

    state: State = "passed"
    if reason in KEPT_ASIDE or value is None:
        state = "aside"
    elif reason:
        state = "failed"
    return ScoreBar(
        name=name,
        value=value,
        filled=0.0 if value is None else place(value),
        threshold=line.value if line else None,
        mark=place(line.value) if line else None,
        rule=line.rule if line else "",
        state=state,
        note=words(reason) or ("not measured" if value is None else ""),
    )


def _size(width: int, height: int, frames: int, fps: float) -> str:
    return f"{width}×{height}, {counted(frames, 'frame')} at {fps:.4g} fps"


def _facts(pair: Pair) -> list[tuple[str, str]]:
    source = _size(pair.source_width, pair.source_height, pair.source_frames, pair.source_fps)
    target = _size(pair.target_width, pair.target_height, pair.target_frames, pair.target_fps)
    sizes = [("both", source)] if source == target else [("source", source), ("target", target)]
    return [
        ("expert", f"{pair.expert} {pair.expert_version}"),
        ("seed", str(pair.seed)),
        *sizes,
        ("licence", f"{pair.licence}, {pair.author}" if pair.author else pair.licence),
    ]


def _details(pair: Pair) -> list[tuple[str, str]]:
    writer = pair.instruction_model if pair.instruction_by == "model" else ""
    rows = [
        ("pair", pair.pair_id),
        ("object", pair.label),
        ("instruction by", f"{pair.instruction_by} {writer}".strip()),
        ("expert's prompt", pair.prompt),
        ("negative prompt", pair.negative_prompt),
        ("target shows", pair.target_prompt),
        ("caption", pair.caption),
        ("clip", f"{pair.clip_id}, from frame {pair.first_frame}"),
        ("track", pair.track_id),
        ("parameters", _json(pair.params)),
        ("filters", _json(pair.filter_versions)),
    ]
    return [(name, value) for name, value in rows if value]


def _json(values: dict[str, object]) -> str:
    return json.dumps(values, ensure_ascii=False, sort_keys=True, default=str) if values else ""


def _links(pair: Pair, media: Callable[[str], Path], page: Path) -> list[tuple[str, str]]:
    """The full-size files, where they lie beside or below the page and so move with it."""
    links = []
    for what, ref in (
        ("source", pair.source_video),
        ("target", pair.target_video),
        ("mask", pair.mask),
    ):
        if not ref:
            continue
        relative = Path(os.path.relpath(media(ref), page.parent))
        if ".." not in relative.parts and not relative.is_absolute():
            links.append((what, relative.as_posix()))
    return links
