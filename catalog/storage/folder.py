"""A catalog in a local folder: objects are its files, and nothing is ever copied."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from catalog.errors import EditmillError
from catalog.storage.files import (
    move,
    temporary_name,
    unwritable,
    write_bytes,
    write_durably,
)
from catalog.storage.location import Storage, Stored, TableLocation

_NO_TABLES = re.compile(r"%[0-9A-Fa-f]{2}|[\[\]|^\\]")
"""What Delta's reader decodes in a path, or takes for a mistake (deltalake 1.6)."""


class FolderStorage:
    """The :class:`~catalog.storage.location.Storage` of a folder, which need not exist yet. It
    stays that folder when the process goes to another one (`os.chdir`)."""

    def __init__(self, root: str | Path) -> None:
        """Raises EditmillError for a name that no folder can have."""
        if "\0" in str(root):
            raise EditmillError(f"{str(root)!r}: no folder's name has a NUL in it; name another")
        self.uri = str(Path(root))
        try:
            self.root = Path(root).absolute()
        except OSError:  # the folder that the process is in was removed
            self.root = Path(root)

    def read(self, key: str) -> bytes | None:
        path = self.root / key
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from None

    def write(self, key: str, data: bytes) -> None:
        write_bytes(self.root / key, data)

    def create(self, key: str, data: bytes) -> bool:
        path = self.root / key
        whole = path.with_name(temporary_name(".tmp"))
        try:
            write_durably(whole, data)
            os.link(whole, path)  # unlike a rename, fails where somebody was first
        except FileExistsError:
            return False
        except OSError as error:
            raise unwritable(path, error) from None
        finally:
            with suppress(OSError):
                whole.unlink()
        return True

    def add_file(self, key: str, path: Path) -> None:
        final = self.root / key
        try:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            if final.exists():
                path.unlink()
            else:
                final.parent.mkdir(parents=True, exist_ok=True)
                move(path, final, self.scratch)
        except OSError as error:
            raise unwritable(final.parent, error) from None

    def flush(self) -> None:
        """Everything is stored as soon as it was added."""

    def exists(self, key: str) -> bool:
        return (self.root / key).is_file()

    def list(self, prefix: str) -> Iterator[Stored]:
        found: list[tuple[str, Path]] = []
        for folder, inner, names in os.walk(self.root / prefix, onerror=_raise_unless_missing):
            inner[:] = [name for name in inner if not name.startswith(".")]
            paths = [Path(folder, name) for name in names if not name.startswith(".")]
            found += [(path.relative_to(self.root).as_posix(), path) for path in paths]
        for key, path in sorted(found):
            with suppress(FileNotFoundError):  # removed meanwhile
                status = path.stat()
                yield Stored(key, status.st_size, status.st_mtime)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            path = self.root / key
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(path, error) from None

    def local(self, key: str) -> Path:
        return self.root / key

    @property
    def scratch(self) -> Path:
        folder = self.root / "media" / ".tmp"  # on the file system that files are moved to
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from None
        return folder

    def table(self, name: str) -> TableLocation:
        path = (self.root / "tables" / name).absolute()
        if found := _NO_TABLES.search(str(path)):
            raise EditmillError(
                f"{self.root}: Delta Lake keeps no tables below a folder with {found[0]!r} in its "
                "name; choose another"
            )
        return TableLocation(path.as_uri())


def refuse_inside(storage: Storage, out: Path) -> None:
    """Raises EditmillError where `out`, a folder for somebody's results, lies inside the catalog's
    folder: what does not belong to a catalog would be taken for a part of it."""
    if isinstance(storage, FolderStorage):
        root = storage.root.resolve()
        if out.resolve().is_relative_to(root):
            raise EditmillError(
                f"{out}: lies inside the catalog {root}; name a folder outside of it"
            )


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise _unreadable(Path(error.filename), error) from None


def _unreadable(path: Path, error: OSError) -> EditmillError:
    return EditmillError(f"{path}: cannot be read ({error.strerror}); mend that")
