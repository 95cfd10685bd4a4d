"""Writes the page. Everything it needs is in it: no request ever leaves it, by its own policy."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from catalog.errors import BadInput
from catalog.files import unwritable, write_bytes
from catalog.records import SCORES, Pair
from catalog.report.cards import axes, card, words
from catalog.report.preview import Preview, preview
from catalog.report.summary import Summary

THREADS = 2
"""Previews made at a time; decoding and encoding release the interpreter."""

_HERE = files("catalog.report")


def write_report(
    out: str | Path,
    pairs: Sequence[Pair],
    media: Callable[[str], Path],
    summary: Summary,
    cache: str | Path | None = None,
    threads: int = THREADS,
) -> Path:
    """Write the page for `pairs`, in their order, to `out` and return its path.

    `media` gives the file behind a media reference. `cache` is a folder that keeps previews, so
    that the next report only makes new ones. A pair whose media cannot be read keeps its card,
    which says why. Raises EditmillError where the page or the cache cannot be written.
    """
    out = Path(out)
    with nullcontext(cache) if cache else tempfile.TemporaryDirectory() as folder:
        kept = Path(folder)
        try:
            kept.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(kept, error) from None
        alike = {_media(pair): pair for pair in pairs}  # pairs of the same media share a preview
        with ThreadPoolExecutor(threads) as pool:
            made = pool.map(lambda pair: _preview(pair, media, kept), alike.values())
            previews = dict(zip(alike, made, strict=True))
    spans = axes(pairs, summary.thresholds)
    cards = [
        card(pair, previews[_media(pair)], summary.thresholds, spans, media, out) for pair in pairs
    ]
    script = _text("page.js")
    page = (
        _environment()
        .from_string(_text("page.html.j2"))
        .render(
            summary=summary,
            cards=cards,
            scores=SCORES,
            tasks=_counted(pair.task for pair in pairs),
            reasons=_counted(pair.reason for pair in pairs if not pair.keep),
            footage=_footage(pairs),
            css=Markup(_text("page.css")),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )
    write_bytes(out, page.encode())
    return out


def _media(pair: Pair) -> tuple[str, str, str]:
    return pair.source_video, pair.target_video, pair.mask


def _preview(pair: Pair, media: Callable[[str], Path], cache: Path) -> Preview | str:
    try:
        return preview(pair, media, cache)
    except BadInput as error:
        return str(error)


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _footage(pairs: Sequence[Pair]) -> list[tuple[str, str, int]]:
    """Where the footage comes from, its licence, and how many pairs stand on it."""
    counts = Counter((pair.source_uri, pair.licence) for pair in pairs)
    return [(uri, licence, count) for (uri, licence), count in sorted(counts.items())]


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters["words"] = words
    environment.filters["when"] = _when
    environment.filters["preview_json"] = _preview_json
    return environment


def _when(created: str) -> str:
    return datetime.fromisoformat(created).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _preview_json(made: Preview) -> Markup:
    """JSON that cannot end the script element it stands in."""
    return Markup(json.dumps(asdict(made), separators=(",", ":")).replace("<", "\\u003c"))
