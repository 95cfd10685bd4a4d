"""What a build came to, as Markdown for the page of a Prefect server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl

from catalog.errors import EditmillError
from catalog.media.image import jpeg
from catalog.records import Pair, from_row
from catalog.releases import Catalog
from catalog.report.markdown import bullets, section, table
from catalog.report.sheet import pair_strip
from catalog.wording import counted
from flows.release.outcome import Outcome
from flows.release.since import NewRecords

PAIRS_SHOWN = 6
"""Each takes some 20 kB of the server's database."""


def outcome_page(dataset: Catalog, outcome: Outcome, made: NewRecords) -> str:
    """Counts per task and reason, where report and catalog lie, and some of the new pairs."""
    totals = outcome.totals
    one = "pair" if outcome.product == "pairs" else "record"
    new = f"{counted(made.kept, one)} kept of {made.made} made" if made.made else "nothing new made"
    since = f" since {made.since}" if made.since else ""
    sources = counted(totals["sources"], "source")
    overall = f"{totals['kept']} of {totals['made']} in all, of {sources}"
    rows = [
        (line["task"], line["planned"], line["made"], line["kept"], _reasons(line["rejected"]))
        for line in outcome.tasks
    ]
    places = [
        *([f"release `{outcome.release}`"] if outcome.release else []),
        f"report `{_uri(outcome.report)}`",
        f"catalog `{_uri(outcome.catalog)}`",
    ]
    parts = [
        f"# Release {outcome.release}: {new}{since}" if outcome.release else "# No release",
        f"{overall}; {counted(totals['failures'], 'failure')}, "
        f"{counted(round(totals['wall_seconds'] / 60), 'minute')}.",
        table(("task", "planned", "made", "kept", "rejected, or refused unmade, by reason"), rows),
        section("Where it lies", bullets(places)),
    ]
    if outcome.product == "pairs" and made.kept:
        parts.append(section("Some of the new pairs", "\n\n".join(_pairs(dataset, made))))
    parts.append(section("Notes", bullets(outcome.notes)))
    return "\n\n".join(filter(None, parts))


def _reasons(rejected: dict[str, int]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in rejected.items())


def _uri(place: str) -> str:
    """A place as it is called elsewhere: a local path becomes a `file:` URI."""
    return place if "://" in place else Path(place).absolute().as_uri()


def _pairs(dataset: Catalog, made: NewRecords) -> Iterator[str]:
    """Instruction and frames of new kept pairs, of as many tasks as there are; source above target.

    The pictures lie in the text itself: a Prefect server has no files, and may not reach ours."""
    new = dataset.pairs().filter(pl.col("pair_id").is_in(made.kept_ids.implode()))
    turn = pl.int_range(pl.len()).over("task")
    rows = new.sort("task", "pair_id").with_columns(turn=turn).sort("turn", "task", "pair_id")
    for row in rows.drop("turn").head(PAIRS_SHOWN).collect().iter_rows(named=True):
        pair = from_row(Pair, row)
        with suppress(EditmillError):  # a file that cannot be read is another command's to tell
            picture = jpeg(pair_strip(pair, dataset.path))
            data = base64.b64encode(picture).decode()
            said = " ".join(pair.instruction.split()).replace("`", "'")
            yield (
                f"`{pair.task}` `{pair.pair_id[:12]}`: {said}\n\n"
                f"![source above target](data:image/jpeg;base64,{data})"
            )
