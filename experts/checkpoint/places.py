"""Where a commit of the hub may lie on this machine, and whether the hub may be asked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from catalog.errors import EditmillError
from experts.weights import cache_dir

MIRROR = "EDITMILL_MIRROR"
"""Folders, separated as in PATH, with `owner/name/<commit>/` or `owner/name/` in each."""


def offline() -> bool:
    """Whether no connection may be opened: `EDITMILL_OFFLINE` or the hub's `HF_HUB_OFFLINE`."""
    return any(
        os.environ.get(name, "0").lower() not in ("", "0", "false", "no", "off")
        for name in ("EDITMILL_OFFLINE", "HF_HUB_OFFLINE")
    )


def mirrors() -> list[Path]:
    """The folders of `EDITMILL_MIRROR`. Raises EditmillError for one that is not there."""
    named = [part for part in os.environ.get(MIRROR, "").split(os.pathsep) if part]
    folders = [Path(part).expanduser() for part in named]
    for folder in folders:
        if not folder.is_dir():
            raise EditmillError(f"{MIRROR}: {folder} is no folder; mount it, or unset {MIRROR}")
    return folders


def fetched_folder(repo: str, commit: str) -> Path:
    """Where editmill puts what it fetches: in its cache, laid out as a mirror is."""
    return cache_dir() / "checkpoints" / repo / commit


def candidates(repo: str, commit: str, patterns: Collection[str]) -> Iterator[Path]:
    """Folders that may hold these files of a commit, in the order they are looked at."""
    for mirror in mirrors():
        yield mirror / repo / commit
        if stated_commits(mirror / repo) == {commit}:
            yield mirror / repo
    yield fetched_folder(repo, commit)
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    with contextlib.suppress(LocalEntryNotFoundError):  # or a part of it only
        yield Path(
            huggingface_hub.snapshot_download(
                repo, revision=commit, allow_patterns=list(patterns), local_files_only=True
            )
        )


def stated_commits(folder: Path) -> set[str]:
    """The commits that `hf download --local-dir` noted for the files it put into a folder.

    Its notes are `.cache/huggingface/download/<file>.metadata`, whose first line is the commit.
    """
    notes = (folder / ".cache" / "huggingface" / "download").rglob("*.metadata")
    return {note.read_text("utf-8").partition("\n")[0].strip() for note in notes}
