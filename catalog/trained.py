"""The models trained from a catalog: their files, their rows, and which version serves.

A version is a folder of safetensors, `models/<name>/<version>`, named by what it holds and never
changed. Its row in `models` is written after it, so a row that is there can be used.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl

from catalog.errors import EditmillError
from catalog.keys import digest, file_digest
from catalog.query import Queries
from catalog.records import ModelRow, from_row
from catalog.storage.files import unwritable
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage

KIND = "expert"
"""Of a row of an expert; filters.trained has the filters' own."""

CONFIG = "config.json"
"""The file that every version has."""

SOURCES = "sources.json"
"""The file of a version that lists the ids of all sources that it, or a version it was initialized
from, was trained on."""

VERSION_LENGTH = 12
"""Hex characters of a version."""

_REFERENCE = re.compile(rf"models/[0-9A-Za-z][0-9A-Za-z_.-]{{0,63}}/[0-9a-f]{{{VERSION_LENGTH}}}")
"""A reference comes from a row, and a row may come from anywhere: only this becomes a path."""


def path_of(storage: Storage, ref: str) -> Path:
    """The local folder behind a reference `models/<name>/<version>`; it need not exist.

    Raises EditmillError for anything else, and for a folder or a file in it that is a link to
    somewhere outside the catalog's models (`models` itself may lie on another disk).
    """
    _check(ref)
    if not isinstance(storage, FolderStorage):
        for each in storage.list(ref):
            storage.local(each.key)
        return storage.local(f"{ref}/{CONFIG}").parent
    home, folder = (storage.root / "models").resolve(), storage.root / ref
    for path in (folder, *folder.rglob("*")):
        if not path.resolve().is_relative_to(home):
            raise EditmillError(
                f"{path}: is a link to outside the catalog; put the file itself there"
            )
    return folder


def keep(storage: Storage, name: str, folder: Path) -> tuple[str, str]:
    """Move a finished `folder` into the catalog's storage; its version and its reference.

    The folder must be on the file system of a catalog that lies in a folder. Where the same content
    is there already, the folder is dropped. Raises EditmillError for a name that cannot be a
    folder's.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    held = [(path.relative_to(folder).as_posix(), file_digest(path)) for path in files]
    version = digest(held)[:VERSION_LENGTH]
    ref = f"models/{name}/{version}"
    _check(ref)
    if not isinstance(storage, FolderStorage):
        for path in sorted(files, key=lambda path: path.name == CONFIG):  # it says all is there
            storage.add_file(f"{ref}/{path.relative_to(folder).as_posix()}", path)
        storage.flush()
        shutil.rmtree(folder)
        return version, ref
    final = path_of(storage, ref)
    try:
        if final.exists():
            shutil.rmtree(folder)
        else:
            final.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(final)
    except OSError as error:
        raise unwritable(final, error) from None
    return version, ref


def _check(ref: str) -> None:
    if not isinstance(ref, str) or not _REFERENCE.fullmatch(ref):
        raise EditmillError(
            f"{ref!r} is no model's reference; expected models/<name>/<{VERSION_LENGTH} hex>"
        )


def versions(catalog: Queries, name: str) -> list[ModelRow]:
    """All versions of the expert or filter, the oldest first."""
    rows = catalog.trained().filter(pl.col("name") == name).collect()
    found = [from_row(ModelRow, row) for row in rows.iter_rows(named=True)]
    return sorted(found, key=lambda row: (row.created_at, row.version))


def latest(catalog: Queries, name: str) -> ModelRow | None:
    """The version promoted last; None where there is none."""
    return next((row for row in reversed(versions(catalog, name)) if row.promoted), None)


def find(catalog: Queries, name: str, version: str) -> ModelRow:
    """The version of that name (`latest`: the one promoted last).

    Raises EditmillError, saying what there is, where it is not known.
    """
    known = versions(catalog, name)
    if version == "latest":
        if (found := latest(catalog, name)) is not None:
            return found
        raise EditmillError(
            f"{name}: this catalog has no promoted version of it; "
            f"train one with: editmill train expert {name}"
        )
    for row in known:
        if row.version == version:
            return row
    there = ", ".join(row.version for row in known) or "none"
    raise EditmillError(
        f"{name}: this catalog has no version {version!r} of it (there are: {there}); "
        "name one of them, or latest"
    )


def seen(storage: Storage, source_id: str) -> list[str]:
    """The versions (`models/<name>/<version>`) that were trained on the source, or began with one
    that was."""
    lists = [each.key for each in storage.list("models") if each.key.endswith(f"/{SOURCES}")]
    return [key.removesuffix(f"/{SOURCES}") for key in lists if _names(storage, key, source_id)]


def _names(storage: Storage, key: str, source_id: str) -> bool:
    return source_id.encode() in (storage.read(key) or b"")


def folder_of(catalog: Queries, row: ModelRow) -> Path:
    """The folder with the version's weights. Raises EditmillError where it is gone, or where the
    row names no folder of this catalog's models."""
    path = path_of(catalog.storage, row.path)
    if not (path / CONFIG).is_file():
        command = "train expert" if row.kind == KIND else "retrain"
        raise EditmillError(
            f"{path}: the weights of {row.model_id} are gone; restore the folder from a copy or "
            f"train again with: editmill {command} {row.name}"
        )
    return path
