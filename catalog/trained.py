"""The experts trained from a catalog: their files, their rows, and which of them serves.

A version is a folder of safetensors, `models/<name>/<version>`, named by what it holds and never
changed. Its row in `models` is written after it, so a row that is there can be used.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from catalog.errors import EditmillError
from catalog.files import unwritable
from catalog.keys import digest, file_digest
from catalog.query import Queries
from catalog.records import ModelRow, from_row

KIND = "expert"

VERSION_LENGTH = 12
"""Hex characters of a version."""


def keep(root: Path, name: str, folder: Path) -> tuple[str, str]:
    """Move a finished `folder` into the catalog at `root`; its version and its reference.

    The folder must be on the catalog's file system. Where the same content is there already, the
    folder is dropped.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    held = [(path.relative_to(folder).as_posix(), file_digest(path)) for path in files]
    version = digest(held)[:VERSION_LENGTH]
    ref = f"models/{name}/{version}"
    try:
        if (root / ref).exists():
            shutil.rmtree(folder)
        else:
            (root / ref).parent.mkdir(parents=True, exist_ok=True)
            folder.rename(root / ref)
    except OSError as error:
        raise unwritable(root / ref, error) from None
    return version, ref


def versions(catalog: Queries, name: str) -> list[ModelRow]:
    """All versions of the expert, the oldest first."""
    rows = catalog.models().filter(pl.col("kind") == KIND, pl.col("name") == name).collect()
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


def folder_of(catalog: Queries, row: ModelRow) -> Path:
    """The folder with the version's weights. Raises EditmillError where it is gone."""
    path = catalog.media.root / row.path
    if not (path / "config.json").is_file():
        raise EditmillError(
            f"{path}: the weights of {row.model_id} are gone; restore the folder from a copy or "
            f"train again with: editmill train expert {row.name}"
        )
    return path
