"""`editmill forget`: a source, and all that came of it, goes out of a catalog."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

import polars as pl
import typer

import catalog
from catalog import trained
from catalog.errors import EditmillError, one_line
from catalog.keeping.forget import Forgotten, Removal, erase, find, remember, take_out, trace
from catalog.keeping.references import states
from catalog.releases import Catalog, check_tag
from catalog.storage.location import Versioned
from catalog.wording import counted
from experts.local_edits.statistics import statistics
from flows.release.outcome import REPORT
from flows.runtime.idle import refuse_while_building


def main(
    wanted: str,
    uri: str,
    *,
    erasing: bool,
    tag: str | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Takes the source out of the catalog at `uri`, releases what is left, and says so.

    Raises EditmillError for a source that is not known, a tag that is taken, and while a build
    runs; done again, it finishes what was interrupted.
    """
    if tag is not None:
        check_tag(tag)
    dataset = catalog.open(uri)
    dataset.refuse_old_format()
    source = find(dataset.storage, wanted)
    removal = trace(dataset.storage, source)
    report = _report(dataset, source, removal)
    again = bool(source.at) and not removal.rows
    if not dry_run:
        refuse_while_building(uri)
        if not yes:
            _confirm(_planned(source, report, erasing))
        report["release"] = _forget(dataset, source, tag)
        if erasing:
            report["erased"] = _erase(dataset, source)
        if isinstance(dataset.storage, Versioned):
            dataset.storage.commit("Forget a source", {"source": source.source_id})
    if as_json:
        print(json.dumps(report))
    else:
        print(
            _planned(source, report, erasing) if dry_run else _done(source, report, erasing, again)
        )


def _forget(dataset: Catalog, source: Forgotten, tag: str | None) -> str | None:
    """The tag of the release without the source; None where there is nothing to release, or a build
    has not been run to its end."""
    remember(dataset.storage, source)
    take_out(dataset.storage, source)
    _count_again(dataset)
    own = [each for each in dataset.releases() if each.selection == dataset.selection.name]
    if not own or dataset.unfinished:
        return None
    last = own[-1]
    return dataset.release(
        tag or dataset.next_tag(),
        recipe=last.recipe,
        notes=f"without source {source.source_id[:12]}",
        code=last.code,
        models=last.models,
    ).tag


def _count_again(dataset: Catalog) -> None:
    """Make the distributions over local edits those of the records that are left."""
    for tables in (state.tables for state in states(dataset.storage) if state.release is None):
        if tables.version("statistics") is None:
            continue
        edits = sorted(tables.records("local_edits"), key=lambda edit: edit.edit_id)
        bars = statistics(edits) if edits else []
        if {bar.statistic_id: bar for bar in bars} != {
            bar.statistic_id: bar for bar in tables.records("statistics")
        }:
            tables.remove("statistics", pl.lit(True))
            tables.put("statistics", {"all": bars})


def _erase(dataset: Catalog, source: Forgotten) -> int:
    """Delete what shows the source: its media, and what was made of them to be looked at or to
    train with, which is made again where it is needed; return how many media there were."""
    dataset.storage.delete([REPORT])
    for folder in ("previews", "training/latents"):
        shutil.rmtree(dataset.workspace / folder, ignore_errors=True)
    return erase(dataset.storage, source, lambda: refuse_while_building(dataset.uri))


def _report(dataset: Catalog, source: Forgotten, removal: Removal) -> dict[str, Any]:
    return {
        "source": source.source_id,
        "names": source.names,
        "removed": removal.rows,
        "releases": removal.releases,
        "trained": trained.seen(dataset.storage, source.source_id),
        "media": len(source.media),
        "release": None,
        "erased": None,
        "versioned": isinstance(dataset.storage, Versioned),
    }


def _confirm(plan: str) -> None:
    if not sys.stdin.isatty():
        raise EditmillError("nobody is here to confirm it; look at --dry-run, then give --yes")
    print(plan)
    if not typer.confirm("Go on?"):
        raise EditmillError("nothing was changed")


def _planned(source: Forgotten, report: dict[str, Any], erasing: bool) -> str:
    lines = [f"{_called(source)} would go, and with it {_rows(report)}"]
    lines += _naming(report, erasing)
    if erasing:
        lines.append(
            f"Erased for good: up to {report['media']} media, the report, previews and "
            "cached latents"
        )
    return "\n".join(lines)


def _done(source: Forgotten, report: dict[str, Any], erasing: bool, again: bool) -> str:
    lines = [f"{_called(source)} is forgotten, and with it {_rows(report)}; builds refuse it now"]
    if again:
        lines = [f"{_called(source)} was forgotten before, and no row of it is left"]
    if report["release"] is not None:
        lines.append(f"Release {report['release']} is without it")
    lines += _naming(report, erasing)
    if erasing:
        if report["erased"]:
            lines.append(
                f"Erased: {report['erased']} media, the report, previews and cached latents"
            )
        else:
            lines.append(
                "None of its media is left that only it has; the report, previews and cached "
                "latents are deleted where there were any"
            )
        if report["versioned"]:
            lines.append(
                "lakeFS keeps what is in its history: delete tags and branches that show "
                "it and run lakeFS' garbage collection (docs/catalog.md)"
            )
    else:
        lines.append(
            "Its media are still there (--erase deletes them); so is its part of "
            f"{REPORT} until the next build"
        )
    return "\n".join(lines)


def _naming(report: dict[str, Any], erasing: bool) -> list[str]:
    lines = []
    if report["releases"]:
        named = ", ".join(f"{tag} ({count})" for tag, count in report["releases"].items())
        media = ", which have no media then" if erasing else ""
        lines.append(f"Still named in releases, with pairs and local edits of it{media}: {named}")
    if report["trained"]:
        lines.append(f"Trained on it, and not deleted: {', '.join(report['trained'])}")
    return lines


def _called(source: Forgotten) -> str:
    return one_line(f"{source.names[0] if source.names else 'Source'} ({source.source_id[:12]})")


def _rows(report: dict[str, Any]) -> str:
    rows = report["removed"].items()
    removed = ", ".join(counted(count, table.removesuffix("s"), table) for table, count in rows)
    return f"in all selections: {removed}" if removed else "no row of any selection"
