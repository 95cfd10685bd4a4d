"""`editmill collect`: the space of what nothing in a catalog needs is given back."""

from __future__ import annotations

import dataclasses
import json

import catalog
from catalog.keeping.garbage import Collected, collect
from catalog.storage.location import Versioned
from flows.runtime.idle import refuse_while_building


def main(uri: str, *, older_than: float, dry_run: bool, as_json: bool) -> None:
    """Collects the garbage of the catalog at `uri` and says what it was.

    Raises EditmillError where there is no catalog of the present format, and as soon as a build
    runs; done again, it goes on.
    """
    dataset = catalog.open(uri)
    dataset.refuse_old_format()
    if not dry_run:
        refuse_while_building(uri)
    done = collect(
        dataset.storage,
        older_than=older_than,
        dry_run=dry_run,
        check=lambda: refuse_while_building(uri),
    )
    if as_json:
        print(json.dumps({**dataclasses.asdict(done), "dry_run": dry_run}))
        return
    print(_said(done, older_than, dry_run))
    if isinstance(dataset.storage, Versioned) and not dry_run:
        print("On lakeFS they are in its history still, until its own garbage collection ran")


def _said(done: Collected, older_than: float, dry_run: bool) -> str:
    kept = f"{done.kept} media are named by a selection or a release"
    if done.young:
        kept += f"; {done.young} that nothing names are younger than {older_than:g} hours"
    verb = "Would be deleted" if dry_run else "Deleted"
    tables = (
        "" if dry_run else "\nTables: small files joined, old versions dropped but for releases'"
    )
    return f"Kept: {kept}\n{verb}: {done.removed()}{tables}"
