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
from typing import TypeVar

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from catalog.errors import BadInput
from catalog.records import Pair
from catalog.report.cards import axes, card, words
from catalog.report.preview import Preview, preview
from catalog.report.summary import Summary
from catalog.storage.files import unwritable, write_bytes

THREADS = 2
"""Previews made at a time; decoding and encoding release the interpreter."""

SCRIPTS = ("player.js", "reload.js", "page.js")
"""Parts of the page's script, in the order they are run."""

R = TypeVar("R")

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
    alike = {_media(pair): pair for pair in pairs}  # pairs of the same media share a preview
    made = make_previews(
        list(alike.values()), lambda pair, kept: preview(pair, media, kept), cache, threads
    )
    previews = dict(zip(alike, made, strict=True))
    spans = axes(pairs, summary.thresholds)
    cards = [
        card(pair, previews[_media(pair)], summary.thresholds, spans, media, out) for pair in pairs
    ]
    write_page(
        out,
        "page.html.j2",
        summary=summary,
        cards=cards,
        scores=tuple(spans),
        tasks=counted(pair.task for pair in pairs),
        reasons=counted(pair.reason for pair in pairs if not pair.keep),
        footage=footage((pair.source_uri, pair.licence) for pair in pairs),
    )
    return out


def make_previews(
    records: Sequence[R],
    make: Callable[[R, Path], Preview],
    cache: str | Path | None,
    threads: int = THREADS,
) -> list[Preview | str]:
    """A preview of each record, made in the folder `cache`, or why there is none."""

    def attempt(record: R, kept: Path) -> Preview | str:
        try:
            return make(record, kept)
        except BadInput as error:
            return str(error)

    with nullcontext(cache) if cache else tempfile.TemporaryDirectory() as folder:
        kept = Path(folder)
        try:
            kept.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(kept, error) from None
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda record: attempt(record, kept), records))


def write_page(out: Path, template: str, **values: object) -> None:
    """Renders a template with the style and the script that its policy allows."""
    script = "\n".join(_text(name) for name in SCRIPTS)
    page = (
        _environment()
        .get_template(template)
        .render(
            css=Markup(_text("page.css")),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            **values,
        )
    )
    write_bytes(out, page.encode())


def _media(pair: Pair) -> tuple[str, str, str]:
    return pair.source_video, pair.target_video, pair.mask


def counted(values: Iterable[str]) -> dict[str, int]:
    """How often each occurs, in the alphabet's order."""
    return dict(sorted(Counter(values).items()))


def footage(origins: Iterable[tuple[str, str]]) -> list[tuple[str, str, int]]:
    """Where the footage comes from, its licence, and how many records stand on it."""
    return [(uri, licence, count) for (uri, licence), count in sorted(Counter(origins).items())]


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["words"] = words
    environment.filters["when"] = _when
    environment.filters["preview_json"] = _preview_json
    environment.filters["with_code"] = _with_code
    return environment


def _when(created: str) -> str:
    return datetime.fromisoformat(created).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _with_code(note: str) -> Markup:
    """The note with what stands between backticks, names to type, as code."""
    parts = (Markup.escape(part) for part in note.split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(p) if k % 2 else p for k, p in enumerate(parts)
    )


def _preview_json(made: Preview) -> Markup:
    """JSON that cannot end the script element it stands in."""
    return Markup(json.dumps(asdict(made), separators=(",", ":")).replace("<", "\\u003c"))
