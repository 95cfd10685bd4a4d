"""The data card of a release: what it holds, where that comes from, how it was judged, and what is
known to be wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from catalog.errors import one_line
from catalog.policy import Policy
from catalog.records import Release
from catalog.releases import Catalog
from catalog.releases.counts import TALLIES
from catalog.report.markdown import bullets, section, table, thresholds

MOST_SOURCES = 200
"""Sources listed one by one; of more the card counts those under each licence."""

LIMITS = (
    "Pairs were made by experts and judged by filters, both of them models: none was looked at by "
    "a person, and some of what was kept is wrong.",
    "One side of each pair is real footage, the other was made from it (`generated_side`): it may "
    "show the traces of its expert, and a model can learn them.",
    "Instructions were written by a language model or from templates, in English.",
    "The licences are those that the sources were found under; people in the footage have not been "
    "asked.",
)


def card_key(tag: str) -> str:
    """Where the card of a release lies in the catalog's storage."""
    return f"cards/{tag}.md"


def release_card(held: Catalog, release: Release) -> str:
    """The card of the release as Markdown; `held` is the catalog at its tag."""
    counts = release.counts if TALLIES.keys() <= release.counts.keys() else held.counts()
    parts = [
        f"# {held.uri} at {release.tag}",
        _origin(release),
        section("What it holds", _contents(counts)),
        section("Filters and thresholds", _filters(held.policy, counts)),
        section("Sources and licences", _sources(held, counts)),
        section("Licences of what was made", _outputs(counts)),
        section("Models that took part", _models(release)),
        section("Limits", bullets(LIMITS)),
        section("Recipe", _recipe(release)),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _origin(release: Release) -> str:
    text = f"Released on {release.created_at[:10]} by editmill {release.code or '(unknown)'}."
    if release.notes:
        text += f" Notes: {one_line(release.notes)}"
    pins = ", ".join(f"{name} {version}" for name, version in sorted(release.tables.items()))
    return f"{text}\n\nSelection `{release.selection}`; versions of its tables: {pins}."


def _contents(counts: Mapping[str, Any]) -> str:
    rows = [(task, of["made"], of["kept"]) for task, of in counts["tasks"].items()]
    if rows:
        rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    held = ", ".join(f"{n} {name}" for name, n in counts["tables"].items() if n)
    text = f"Rows: {held}."
    return f"{table(('task', 'pairs made', 'kept'), rows)}\n\n{text}" if rows else text


def _filters(policy: Policy | None, counts: Mapping[str, Any]) -> str:
    rows = [(task, reason, n) for task, keep, reason, n in counts["verdicts"] if keep is False]
    listed = table(("task", "rejected as", "pairs"), rows) if rows else ""
    return "\n\n".join(part for part in (thresholds(policy), listed) if part)


def _sources(held: Catalog, counts: Mapping[str, Any]) -> str:
    if counts["tables"].get("sources", 0) > MOST_SOURCES:
        return table(("licence", "sources"), counts["licences"])
    sources = held.sources().select("licence", "name", "uri").sort("licence", "name").collect()
    return table(("licence", "source", "from"), sources.rows()) if len(sources) else ""


def _outputs(counts: Mapping[str, Any]) -> str:
    told = {True: "yes", False: "no", None: "not known"}
    rows = [
        (expert, licence or "not known", told[may], n)
        for keep, expert, licence, may, n in counts["outputs"]
        if keep
    ]
    heads = ("expert", "licence of its output", "may train a model", "pairs kept")
    return table(heads, rows) if rows else ""


def _models(release: Release) -> str:
    rows = [(name, of.get("licence", ""), of.get("origin", "")) for name, of in
            sorted(release.models.items())]  # fmt: skip
    return table(("model", "licence", "origin"), rows) if rows else ""


def _recipe(release: Release) -> str:
    try:
        text = json.dumps(json.loads(release.recipe), indent=2, ensure_ascii=False)
    except ValueError:  # released by hand, under some other description
        text = release.recipe
    return f"```json\n{text}\n```" if text else ""
