"""Markdown of which cards are put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from catalog.errors import one_line
from catalog.policy import Policy


def section(heading: str, text: str) -> str:
    """A section of the second level; empty where there is no text."""
    return f"## {heading}\n\n{text}" if text else ""


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; a cell is one line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def thresholds(policy: Policy | None) -> str:
    """What the policy cuts, by filter and by task, as a list."""
    if policy is None:
        return ""
    lines = [f"`{name}` is off: it rejects nothing" for name in policy.off]
    for cut in policy.thresholds:
        if cut.filter in policy.off or (cut.value is None and not cut.per_task):
            continue
        limits = [] if cut.value is None else [f"{cut.value:g}"]
        limits += [f"{value:g} for {task}" for task, value in cut.per_task.items()]
        bound = cut.bound.replace("_", " ")
        lines.append(f"`{cut.filter}` keeps {bound} {', '.join(limits)}")
    return bullets(lines)


def _cell(value: Any) -> str:
    text = one_line(str(value)).replace("\\", "\\\\")
    for mark in "|[]<>":  # neither a cell of its own, nor a link, a picture or HTML
        text = text.replace(mark, f"\\{mark}")
    return text
