"""Giving what a catalog holds a tag: the release's document, and what is found by it."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from catalog.errors import EditmillError
from catalog.layout import release_key, release_of
from catalog.records import Release
from catalog.releases import index, pins
from catalog.releases.counts import count
from catalog.storage.location import Storage, Versioned

if TYPE_CHECKING:
    from catalog.releases.catalog import Catalog


def publish(held: Catalog, release: Release) -> Release:
    """Make the release, numbered and counted; `held` is the catalog at it.

    Where there is one of the same content already, that is returned. Raises EditmillError for a
    tag that is taken by other content.
    """
    storage = held.storage
    kind = _named(storage, release.tag)  # first: a release has its document before its tag
    new, taken = index.entry_of(storage, release), release_of(storage, release.tag)
    if taken is not None:
        if index.entry_of(storage, taken).content == new.content:
            return completed(held, taken)
        raise EditmillError(f"tag {release.tag!r} is taken by other content; choose a new tag")
    if kind:
        raise EditmillError(f"{storage.uri}: has a {kind} {release.tag} already; choose a new tag")
    known = index.entries(storage)
    same = index.newest(storage, (each for each in known if each.content == new.content))
    if same is not None:
        return completed(held, same)
    alike = [each for each in known if each.counted == new.counted]
    before = None if release.without else index.newest(storage, alike)
    number = 1 + max((each.number for each in known), default=0)
    release = dataclasses.replace(release, counts=count(held, before), number=number)
    data = json.dumps(dataclasses.asdict(release), sort_keys=True).encode()
    if not storage.create(release_key(release.tag), data):
        taken = release_of(storage, release.tag)
        if taken is not None and index.entry_of(storage, taken).content == new.content:
            return completed(held, taken)
        raise EditmillError(f"tag {release.tag!r} was taken by another build; choose a new tag")
    index.add(storage, release)
    _describe(held, release)
    if isinstance(storage, Versioned):
        _tag(storage, release)
    return release


def completed(held: Catalog, release: Release) -> Release:
    """The release that there is; `held` is the catalog at it. Where a build was stopped once its
    document was there, it gets its data card and the storage's tag now."""
    from catalog.report.release_card import card_key

    if not held.storage.exists(card_key(release.tag)):
        _describe(held, release)
    if isinstance(held.storage, Versioned):
        _tag(held.storage, release)
    return release


def _tag(storage: Versioned, release: Release) -> None:
    if storage.has_tag(release.tag):
        return
    said = {"release": release.tag, "selection": release.selection, "code": release.code}
    storage.commit(f"Release {release.tag}", said)
    try:
        storage.tag(release.tag)
    except EditmillError:
        if not storage.has_tag(release.tag):
            raise  # else another process gave it, that completed the same release


def _named(storage: Storage, name: str) -> str:
    """What of the storage has this name: a `tag`, a `branch` or, empty, nothing."""
    if isinstance(storage, Versioned):
        if storage.has_tag(name):
            return "tag"
        if storage.has_branch(name):
            return "branch"
    return ""


def _describe(held: Catalog, release: Release) -> None:
    from catalog.report.release_card import card_key, release_card

    pins.note(held.storage, held.selection, release)
    held.storage.write(card_key(release.tag), release_card(held, release).encode())
