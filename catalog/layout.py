"""What lies where in a catalog's storage, and the small documents that say so.

catalog.json                         the format
main.json                            which selection `main` is, its policy and recipe
selections/<selection>.json          what a selection is of
selections/<selection>/policies/     the policies under which its rows were decided
selections/<selection>/building/     the builds that are filling it
selections/<selection>/held.json     the newest version of each table that a release holds
releases/<tag>.json                  a release
releases/index/                      for each an object by which it is found
cards/<tag>.md                       its data card
tables/<selection>/<table>/          Delta tables; `trained`, `labels` lie at `tables/<table>/`
media/<2 hex>/<sha256><suffix>       media by content
models/<name>/<version>/             weights of the experts that were trained here
builds/<start>-<8 hex>.json          how a build ended
work/                                the build's journal, its status
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_origin

from catalog.errors import EditmillError
from catalog.policy import Policy
from catalog.records import Release
from catalog.records.rows import field_types
from catalog.storage.location import Storage
from catalog.storage.parallel import every
from catalog.tables import Tables

R = TypeVar("R")

FORMAT = 2
"""Version of a catalog's layout; a newer one than this is refused, an older one only read."""

_RELEASE = re.compile(r"releases/([^/]+)\.json")
"""Whatever else lies there is somebody's own."""

MARKER = "catalog.json"
POINTER = "main.json"


@dataclass(frozen=True, slots=True)
class Selection:
    """What one recipe asks for: the catalog's tables of that name hold it, and nothing else.

    `decided_by` are the keys of all policies under which builds wrote verdicts into its rows.
    """

    name: str = ""  # the empty one's tables are those of a catalog of format 1
    recipe: str = ""  # as JSON
    code: str = ""  # version of editmill that began it
    created_at: str = ""  # ISO 8601, UTC
    decided_by: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Of its document."""
        return f"selections/{self.name}.json"

    @property
    def policies(self) -> str:
        """The folder with a document for each policy of `decided_by`, under the policy's key."""
        return f"selections/{self.name}/policies"

    @property
    def building(self) -> str:
        """The folder with an object for each build that began to fill it and has not ended."""
        return f"selections/{self.name}/building"

    @property
    def held(self) -> str:
        """Of the document that says it for all its releases (:mod:`catalog.releases.pins`)."""
        return f"selections/{self.name}/held.json"


def release_key(tag: str) -> str:
    """Of a release's document."""
    return f"releases/{tag}.json"


def main_of(storage: Storage) -> tuple[Selection, Policy | None]:
    """The selection that `main` is, and the policy it is under."""
    pointer = document(storage, POINTER)
    if pointer is None:
        return Selection(), None
    name, policy = pointer.get("selection"), pointer.get("policy")
    if not isinstance(name, str):
        raise _damaged(storage, POINTER)
    selection = selection_of(storage, name)
    if selection is None and name:  # and not: main holds nothing
        raise EditmillError(
            f"{storage.uri}/{Selection(name).key}: is missing, and main is this selection; restore "
            "it from a copy, or build again"
        )
    selection = selection or Selection()
    # Recipes that differ in nothing that changes a row share a selection: this is the newest one.
    selection = dataclasses.replace(selection, recipe=pointer.get("recipe", selection.recipe))
    return selection, None if policy is None else Policy.from_document(policy)


def selection_of(storage: Storage, name: str) -> Selection | None:
    """The selection of that name; None where there is none."""
    key = Selection(name).key
    found = document(storage, key) if name else None
    if found is None:
        return None
    known = storage.list(Selection(name).policies)
    keys = [each.key.rpartition("/")[2].removesuffix(".json") for each in known]
    return parsed(storage, key, Selection, {**found, "decided_by": keys})


def document(storage: Storage, key: str) -> dict[str, Any] | None:
    """The JSON object under the key; None where there is none."""
    data = storage.read(key)
    if data is None:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _damaged(storage, key)
    return found


def parsed(storage: Storage, key: str, kind: type[R], found: dict[str, Any]) -> R:
    """The object under the key as one of the dataclass `kind`."""
    hints = field_types(cast(type, kind))
    try:
        for name in found.keys() & hints.keys():
            expected = get_origin(hints[name]) or hints[name]
            if expected is tuple and isinstance(found[name], list):
                found[name] = tuple(found[name])
            if not isinstance(found[name], expected):
                raise TypeError
        return kind(**found)
    except TypeError:
        raise _damaged(storage, key) from None


def _damaged(storage: Storage, key: str) -> EditmillError:
    return EditmillError(
        f"{storage.uri}/{key}: is damaged; restore it from a copy, or remove it and build again"
    )


def format_of(storage: Storage) -> int:
    """The format that the marker tells."""
    marker = f"{storage.uri}/{MARKER}"
    restore = f"restore it with: echo '{json.dumps({'format': FORMAT})}' > {marker}"
    data = storage.read(MARKER)
    if data is None:
        if any(storage.list("tables")):
            raise EditmillError(f"{marker}: is missing, the tables are there; {restore}")
        raise EditmillError(
            f"{storage.uri}: is not a catalog (no {MARKER}); name a build's output folder, "
            "or make one with: editmill build"
        )
    try:
        layout = json.loads(data)["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise EditmillError(f"{marker}: is damaged; {restore}") from None
    if layout not in (1, FORMAT):
        raise EditmillError(
            f"{storage.uri}: has catalog format {layout}, this editmill reads {FORMAT}; "
            "upgrade editmill"
        )
    return int(layout)


def releases_in(storage: Storage, layout: int = FORMAT) -> list[Release]:
    """All releases of a catalog of that format, the oldest first, whatever the clocks said."""
    if layout == 1:
        found = Tables(storage).records("releases")
    else:
        read = every(storage, lambda tag: release_of(storage, tag), tags_in(storage))
        found = [release for release in read if release is not None]
    return sorted(found, key=age)


def age(release: Release) -> tuple[int, str, str]:
    """Greater for newer ones: by the clocks only those are told apart that were made at once, or
    before releases had numbers."""
    return release.number, release.created_at, release.tag


def tags_in(storage: Storage) -> list[str]:
    """The tags of all releases, sorted as text; none is read."""
    found = (_RELEASE.fullmatch(each.key) for each in storage.list("releases"))
    return [match[1] for match in found if match]


def release_of(storage: Storage, tag: str, layout: int = FORMAT) -> Release | None:
    """The release of that tag; None where there is none."""
    if layout == 1:
        return next((each for each in releases_in(storage, layout) if each.tag == tag), None)
    key = release_key(tag)
    found = document(storage, key) if _RELEASE.fullmatch(key) else None
    return None if found is None else parsed(storage, key, Release, found)
