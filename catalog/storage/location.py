"""Where a catalog lies: a folder, an S3 prefix or a lakeFS branch, behind one small interface.

A catalog's objects have keys (`media/ab/ab12….mp4`, `releases/v1.json`), relative paths with
forward slashes. Whoever reads or writes them asks a :class:`Storage`, and never for a path but
through :meth:`Storage.local`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Stored:
    """An object there is: its key, its size in bytes and when it was written (s since 1970)."""

    key: str
    size: int
    modified: float


@dataclass(frozen=True, slots=True)
class TableLocation:
    """What Delta Lake is given to open a table: its URI, and the options of its object store."""

    uri: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets


class Storage(Protocol):
    """Objects under keys. Safe under threads and processes.

    What is not there is no error but None, False or nothing. Everything else that goes wrong
    raises EditmillError in one line with the remedy: no permission, a full disk, a bucket that is
    gone, a network that stays away after several tries. No message holds a secret.
    """

    @property
    def uri(self) -> str:
        """As its user would write it: a folder's path, `s3://bucket/prefix`,
        `lakefs://repository/branch`."""
        ...

    def read(self, key: str) -> bytes | None:
        """The object's bytes; None where there is none."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Store `data`, durable when this returns. A reader sees the old object or the new one."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Store `data` unless there is an object already; whether it was stored. Of several who try
        at once, one succeeds."""
        ...

    def add_file(self, key: str, path: Path) -> None:
        """Move a finished local file into the storage; it is gone from `path` afterwards.

        For objects named by their content: what is there under the key stays. The file may still be
        on its way when this returns (:meth:`flush`); :meth:`local` finds it at once.
        """
        ...

    def flush(self) -> None:
        """Wait until all that was added is stored; raises where something could not be, and tries
        that again when called again."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is such an object; one that is still on its way is not."""
        ...

    def list(self, prefix: str) -> Iterator[Stored]:
        """All objects below the folder `prefix` (a key without its last parts; empty for all),
        sorted by key. Hidden files (`.name`) of a folder are none."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are passed over."""
        ...

    def local(self, key: str) -> Path:
        """A local file with the object's content, only to be read. In a folder the object itself;
        elsewhere a copy in a bounded cache. Where there is no object there is no file."""
        ...

    @property
    def scratch(self) -> Path:
        """A local folder, made if absent, for what need not outlive this machine, and for files
        that :meth:`add_file` takes without copying them."""
        ...

    def table(self, name: str) -> TableLocation:
        """Where the Delta table `name` (a relative path below `tables`) lies."""
        ...


@runtime_checkable
class Versioned(Storage, Protocol):
    """A storage with branches, commits and tags. `main` is the branch that its URI names."""

    def at(self, name: str) -> Versioned:
        """The branch `name` as it is now; nothing is asked of the server yet."""
        ...

    def branch(self, name: str) -> Versioned:
        """The branch `name`, made from `main` if there is none.

        One that is there is brought up to date: what it had not committed is committed, and main's
        newer commits are merged into it. Where both changed an object, main's is taken: a build
        that finds its own gone makes it again from the journal.
        """
        ...

    def commit(self, message: str, metadata: Mapping[str, str]) -> bool:
        """Commit all that was added and written to this branch; whether there was anything."""
        ...

    def merge_into_main(self, message: str, metadata: Mapping[str, str]) -> None:
        """Commit, and merge this branch into `main`, at once or not at all.

        Raises EditmillError where both changed the same objects: the build is to be run again.
        """
        ...

    def tag(self, name: str) -> None:
        """Give this branch's last commit a name for good. A tag of that name at the same commit is
        no error; one elsewhere, or a branch, raises EditmillError."""
        ...

    def has_tag(self, name: str) -> bool:
        """Whether there is a tag of that very name."""
        ...

    def has_branch(self, name: str) -> bool:
        """Whether there is a branch of that name, which no tag can have then."""
        ...

    def delete_branch(self) -> None:
        """Delete this branch, if it is there."""
        ...
