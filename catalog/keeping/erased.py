"""Media that are not there because their source was taken out of the catalog.

An old release still shows the rows of a source that was forgotten, and `editmill forget --erase`
deleted the media that these name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from weakref import WeakKeyDictionary

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
    """`media.path`, which refuses what was erased with its source.

    Of a release also where the local cache of a remote storage still has a copy of it. Which media
    were erased is read once.
    """

    def path(ref: str) -> Path:
        copied = media.read_only and ref in _erased(media) and not media.storage.exists(ref)
        found = media.path(ref)
        if copied or not found.is_file():
            refuse_erased(media.storage, ref)
        return found

    return path


def _erased(media: MediaStore) -> frozenset[str]:
    """The media that sources had which were erased; a few may still be another's."""
    if media not in _ERASED:
        forgotten = noted(media.storage)
        _ERASED[media] = frozenset(m for each in forgotten if each.erased for m in each.media)
    return _ERASED[media]


_ERASED: WeakKeyDictionary[MediaStore, frozenset[str]] = WeakKeyDictionary()
"""Of each store, as they were when it was first asked for one."""
