"""A commit of the hub, fetched into editmill's cache, file by file.

A file is written as `.part`, which a later run goes on from, and gets its name once its checksum is
the hub's. huggingface_hub's own downloads begin a file anew in each process (since 1.0), and a
shard may have 10 GB, so only its client, its addresses and its token are used here.
"""

from __future__ import annotations

import logging
import shutil
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock

from experts.checkpoint.formats import is_weights, only_pickles, selected
from experts.checkpoint.listing import Listed, listing, write_listing
from experts.checkpoint.places import fetched_folder

PARALLEL = 3
"""Files at a time: weights are few and large."""

ATTEMPTS = 5
"""Connections in a row that brought nothing before a file is given up."""

PAUSE = 1.0
"""Seconds before the first of them is tried again; doubled each time."""

Report = Callable[[int, int], None]
"""Called with bytes so far and bytes in all."""


class UnavailableError(Exception):
    """Why a checkpoint cannot be had, in part of a sentence."""


def fetch(
    repo: str,
    commit: str,
    patterns: Collection[str],
    report: Report | None = None,
    pause: float = PAUSE,
) -> Path:
    """The folder with the files of a commit that match the patterns.

    Raises UnavailableError where the hub does not have them, cannot be reached, has the weights
    only as pickles, or sends other bytes than it lists; and where the disk is too small.
    """
    folder = fetched_folder(repo, commit)
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_name(f"{commit}.lock")):
        listed = listing(folder) or _ask_for_listing(repo, commit)
        names = selected(listed, patterns)
        if any(map(is_weights, patterns)) and not any(map(is_weights, names)):
            pickle = only_pickles(listed)
            raise UnavailableError(
                f"it has its weights only as a pickle ({pickle}), which can run code when opened"
                if pickle
                else f"it has none of {', '.join(filter(is_weights, patterns))}"
            )
        write_listing(folder, listed)
        wanted = [
            _File(repo, commit, name, folder / name, listed[name], pause)
            for name in names
            if not (folder / name).is_file()
        ]
        _need_space(folder, sum(file.left for file in wanted))
        _fetch_all(wanted, report)
    return folder


def newest(repo: str) -> str:
    """The commit that the hub's `main` is at now. Raises UnavailableError."""
    import huggingface_hub

    try:
        with _silent():
            found = huggingface_hub.HfApi().model_info(repo, revision="main").sha
    except Exception as error:  # the hub's client has a dozen kinds, none of them our fault
        raise UnavailableError(_reason(repo, error)) from None
    assert found is not None
    return found


def _ask_for_listing(repo: str, commit: str) -> dict[str, Listed]:
    import huggingface_hub
    from huggingface_hub.hf_api import RepoFile

    _refuse_if_without_network()
    try:
        with _silent():
            tree = huggingface_hub.HfApi().list_repo_tree(repo, revision=commit, recursive=True)
            return {
                each.path: Listed(each.size, each.lfs.sha256 if each.lfs else "", each.blob_id)
                for each in tree
                if isinstance(each, RepoFile) and ".." not in each.path.split("/")
            }
    except Exception as error:  # as above
        raise UnavailableError(_reason(repo, error)) from None


def _refuse_if_without_network() -> None:
    """Raises UnavailableError where the hub's name is not known: its client would try again for
    half a minute. A proxy knows names that are not known here."""
    import huggingface_hub

    hub = urllib.parse.urlsplit(huggingface_hub.constants.ENDPOINT)
    if hub.hostname is None or urllib.request.getproxies().get(hub.scheme):
        return
    try:
        socket.getaddrinfo(hub.hostname, None)
    except OSError as error:
        raise UnavailableError(f"{hub.hostname}: {error.strerror}") from None


@contextmanager
def _silent() -> Iterator[None]:
    """The hub's client logs each try; what came of them is told in one line of ours."""
    logger = logging.getLogger("huggingface_hub.utils._http")

    def none(_: logging.LogRecord) -> bool:
        return False

    logger.addFilter(none)
    try:
        yield
    finally:
        logger.removeFilter(none)


@dataclass(frozen=True, slots=True)
class _File:
    repo: str
    commit: str
    name: str
    path: Path
    listed: Listed
    pause: float

    @property
    def part(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def done(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    @property
    def left(self) -> int:
        return max(0, self.listed.size - self.done)

    def fetch(self, more: Callable[[int], None], stop: threading.Event) -> None:
        """Goes on from the part that is there; `more` is told each chunk's bytes."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        failures = 0
        while self.left:
            before = self.done
            try:
                self._stream(more, stop)
            except _Stopped:
                return
            except Exception as error:
                refused = getattr(error, "response", None) is not None
                failures = 1 if self.done > before else failures + 1
                if refused or isinstance(error, OSError) or failures == ATTEMPTS:
                    raise UnavailableError(_reason(self.repo, error)) from None
                time.sleep(self.pause * 2 ** (failures - 1))
        if not self.listed.is_of(self.part):
            self.part.unlink()
            raise UnavailableError(f"{self.name} has other bytes than the hub lists; try again")
        self.part.replace(self.path)

    def _stream(self, more: Callable[[int], None], stop: threading.Event) -> None:
        from huggingface_hub import constants, get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

        url = hf_hub_url(self.repo, self.name, revision=self.commit)
        start, timeout = self.done, constants.HF_HUB_DOWNLOAD_TIMEOUT
        headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={start}-"}
        with get_session().stream("GET", url, headers=headers, timeout=timeout) as answer:
            hf_raise_for_status(answer)
            if answer.status_code != 206 and start:  # the server knows no ranges
                more(-start)
                start = 0
            with self.part.open("r+b" if start else "wb", buffering=0) as part:
                part.seek(start)
                for chunk in answer.iter_bytes():
                    part.write(chunk)
                    more(len(chunk))
                    if stop.is_set():
                        raise _Stopped


class _Stopped(Exception):
    """Another file failed, or the user ended it."""


def _fetch_all(files: list[_File], report: Report | None) -> None:
    total = sum(file.listed.size for file in files)
    done = sum(file.done for file in files)
    counting = threading.Lock()
    stop = threading.Event()

    def more(count: int) -> None:
        nonlocal done
        with counting:
            done += count
            if report:
                report(done, total)

    with ThreadPoolExecutor(PARALLEL) as pool:
        try:
            for _ in pool.map(lambda file: file.fetch(more, stop), files):
                pass
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _need_space(folder: Path, need: int) -> None:
    free = shutil.disk_usage(folder).free
    if need > free:
        raise UnavailableError(
            f"it takes {need / 1e9:.1f} GB more and the disk of {folder} has {free / 1e9:.1f} GB "
            "free: free some, or set EDITMILL_CACHE to a folder on a larger one"
        )


def _reason(repo: str, error: Exception) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return (
            f"its owner must let you in: accept the terms at {constants.ENDPOINT}/{repo} and set "
            "HF_TOKEN"
        )
    if isinstance(error, RepositoryNotFoundError):
        return f"{constants.ENDPOINT} has no such repository, or HF_TOKEN may not see it"
    return " ".join(str(error).split())[:200] or type(error).__name__
