"""Media files by content: `media/<2 hex>/<sha256><suffix>`, immutable, stored once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import EditmillError
from catalog.storage.files import sweep, temporary_name, unwritable
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage

_REFERENCE = re.compile(r"media/[0-9a-f]{2}/[0-9A-Za-z_-]{1,64}\.[0-9a-z]{1,8}")
"""A reference comes from a row, and a row may come from anywhere: only this becomes a path."""


@dataclass(slots=True)
class MediaDraft:
    """A file being written in the store; `ref` is its reference once it is in."""

    path: Path
    ref: str = ""


class MediaStore:
    """The media of a catalog, under `media` in its storage (a folder may be given by its path).

    A reference (`media/ab/ab12….mp4`) is a key in the storage, so a catalog can be moved. A file is
    in the store completely or not at all. Any number of threads and processes may add at once. A
    `read_only` store (a release's) refuses to.
    """

    def __init__(self, storage: Storage | str | Path, read_only: bool = False) -> None:
        self.storage = FolderStorage(storage) if isinstance(storage, str | Path) else storage
        self.read_only = read_only

    def path(self, ref: str) -> Path:
        """The file behind a reference, or a local copy of it; it need not exist.

        Raises EditmillError for what is no reference, and where the storage cannot be reached.
        """
        return self.storage.local(_checked(ref))

    def add(self, tmp_path: str | Path, suffix: str) -> str:
        """Move a finished file into the store and return its reference.

        The file is gone from `tmp_path` afterwards, also where the store had its content already.
        In a remote storage it is only there after :meth:`flush`.
        """
        if self.read_only:
            raise EditmillError(
                f"{self.storage.uri}: a release never changes; "
                "open the catalog at ref 'main' to write"
            )
        tmp_path = Path(tmp_path)
        try:
            digest = _sha256(tmp_path)
        except OSError as error:
            raise unwritable(tmp_path, error) from None
        ref = _checked(f"media/{digest[:2]}/{digest}{suffix}")
        self.storage.add_file(ref, tmp_path)
        return ref

    def flush(self) -> None:
        """Wait until all that was added is stored; raises where something could not be."""
        self.storage.flush()

    @contextmanager
    def writing(self, suffix: str) -> Iterator[MediaDraft]:
        """Give a path to write to; on success the file is added and the draft's `ref` set.

        On an error nothing is left behind. What a killed process left is swept by the next writer.
        """
        folder = self.storage.scratch
        sweep(folder)
        draft = MediaDraft(folder / temporary_name(suffix))
        try:
            yield draft
            draft.ref = self.add(draft.path, suffix)
        finally:
            with suppress(OSError):
                draft.path.unlink()


def is_whole(path: Path, ref: str) -> bool:
    """Whether the file has the bytes that its reference names, so that no copy cut it short and no
    disk lost some. Raises OSError."""
    return _sha256(path) == Path(ref).stem


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(ref: str) -> str:
    if not isinstance(ref, str) or not _REFERENCE.fullmatch(ref):
        raise EditmillError(
            f"{ref!r} is no media reference; expected media/<2 hex>/<sha256>.<suffix>"
        )
    return ref
