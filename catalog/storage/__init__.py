"""Where a catalog's objects lie, and how they are written and read."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from catalog.arguments import expect
from catalog.errors import EditmillError
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage


def storage_at(root: str | Path | Storage) -> Storage:
    """What `root` names, or is.

    Raises EditmillError for what is neither a name nor a storage, and as :func:`open_storage`.
    """
    if isinstance(root, str | Path):
        return open_storage(root)
    if not hasattr(root, "uri"):
        expect(root, "a catalog", "a folder, s3://… or lakefs://…", str, Path)
    return root


def open_storage(uri: str | Path) -> Storage:
    """The storage that `uri` names: a folder (its path, or `file://…`), `s3://bucket[/prefix]` or
    `lakefs://repository[/branch]`.

    Nothing is asked of a remote one yet. Raises EditmillError for a blank name, one that no
    folder can have, or another scheme, and where the settings that say how to reach it
    (docs/storage.md) are missing or wrong.
    """
    if not str(uri).strip():
        raise EditmillError(
            "the catalog's name is blank; name a folder, s3://… or lakefs://… (--catalog, --out, "
            "or EDITMILL_CATALOG)"
        )
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", str(uri))
    scheme = found[1].lower() if found and isinstance(uri, str) else ""
    if not scheme:
        return FolderStorage(uri)
    rest = str(uri).partition("://")[2]
    place, _, path = rest.partition("/")
    if scheme == "file":
        parts = urlsplit(str(uri))
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise EditmillError("a file:// URL names a folder of this machine: file:///path")
        return FolderStorage(unquote(parts.path))
    # What only a remote storage needs is imported where one is opened: that takes its time.
    if scheme == "s3":
        from catalog.storage.objects import ObjectStorage

        return ObjectStorage(place, path)
    if scheme == "lakefs":
        from catalog.storage.versioned import LakefsStorage

        return LakefsStorage(place, path or "main")
    raise EditmillError(
        f"{scheme}:// is no storage of a catalog; "
        "expected a folder, s3://bucket/prefix or lakefs://repository/branch"
    )
