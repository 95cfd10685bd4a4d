"""Media that are not there because their source was taken out of the catalog.

An old release still shows the rows of a source that was forgotten, and `editmill forget --erase`
deleted the media that these name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from catalog.errors import BadInput
from catalog.keeping.forget import noted
from catalog.storage.location import Storage
from catalog.storage.media import MediaStore


def refuse_erased(storage: Storage, ref: str) -> None:
    """Raises BadInput, with the source's name and the day, if the medium was erased with a source
    that was forgotten."""
    for source in noted(storage):
        if source.erased and ref in source.media:
            name = source.names[0] if source.names else source.source_id[:12]
            raise BadInput(
                "erased",
                f"{ref}: was erased: its source {name!r} was taken out of the catalog on "
                f"{source.at[:10]} (`editmill forget`); leave its pairs out, or use a newer "
                "release",
            )


def kept_path(media: MediaStore) -> Callable[[str], Path]:
    """`media.path`, which refuses what was erased with its source."""

    def path(ref: str) -> Path:
        found = media.path(ref)
        if not found.is_file():
            refuse_erased(media.storage, ref)
        return found

    return path
