"""Whether the files of a Delta table are whole, asked before Delta reads them.

Delta trusts what it finds: it passes over an empty commit (fewer rows, and no word), takes a folder
without a log for a table that is not there, and ends in a panic on a data file that was cut short.
So the log's listing is looked at, the commits that a reader would replay, and the size and the
footer of each data file. No row is read, and as all of these files never change, each is opened
once per process.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from catalog.delta.parts import COUNT
from catalog.errors import EditmillError

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")
_MAGIC = b"PAR1"  # a parquet file begins and ends with it
_HINT = "_last_checkpoint"
_FILES = (
    "num_added_files",
    "num_removed_files",
    # of a merge, as catalogs of format 1 have them
    "num_target_files_added",
    "num_target_files_removed",
)
_REMEMBERED = 1 << 16  # files known to be whole; 0.2 kB each


def newest(table: Path) -> int | None:
    """The newest version in the log of the table in this folder; None where there is no table.

    Raises EditmillError where the folder holds data but no log, or cannot be listed.
    """
    commits, checkpoints = _listed(table)
    return max((*commits, *checkpoints), default=None)


def check_log(table: Path, version: int | None = None) -> None:
    """Raises EditmillError, naming the file and the remedy, where what a reader of `version` (or of
    the newest) replays is not whole: a checkpoint, and every commit since."""
    commits, checkpoints = _listed(table)
    last = max((*commits, *checkpoints), default=-1)
    _check_hint(table, checkpoints)
    wanted = last if version is None else version
    if wanted > last:
        raise damaged(
            table / "_delta_log", f"ends at version {last}, but version {wanted} was asked"
        )
    start = max((v for v in checkpoints if v <= wanted), default=None)
    if start is not None:
        _check_checkpoint(table, start, all(v in commits for v in range(start + 1)))
    for v in range(0 if start is None else start + 1, wanted + 1):
        path = table / "_delta_log" / f"{v:020}.json"
        if v not in commits:
            raise damaged(path, "is missing")
        status = _stat(path)
        _check_commit(path, status.st_size, status.st_mtime_ns)


def check_data(table: Path, files: Mapping[str, int]) -> None:
    """Raises EditmillError for one of these data files (bytes by name) that is missing or was cut
    short."""
    for name, size in files.items():
        status = _stat(table / name)
        if status.st_size != size:
            raise damaged(table / name, f"has {status.st_size} bytes where {size} were written")
        _check_parquet(table / name, status.st_size, status.st_mtime_ns)


def check_rows(table: Path, delta: DeltaTable) -> None:
    """Reads every data file; raises EditmillError for the first that cannot be read.

    For after a failure: it finds out which file is to blame.
    """
    for name in pl.DataFrame(delta.get_add_actions())["path"]:
        try:
            pl.read_parquet(table / name)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise damaged(table / name, f"cannot be read ({_first_line(error)})") from None


def damaged(path: Path, what: str) -> EditmillError:
    """The error for a damaged file of a table, with the remedies there are."""
    tables = next(p for p in (path, *path.parents) if p.name == "tables")
    return EditmillError(
        f"{path}: {what}; restore it from a copy, or remove {tables} and its releases beside it "
        "and build again: the rows are written anew from what the build remembers, and only the "
        "releases are lost"
    )


def _listed(table: Path) -> tuple[set[int], set[int]]:
    """The versions of the log's commits and of its checkpoints that are not empty."""
    log = table / "_delta_log"
    if table.parent.exists() and not table.parent.is_dir():
        raise damaged(table.parent, "is no folder")
    try:
        if not table.exists():
            return set(), set()
        names = [entry.name for entry in table.iterdir()]
        files = list(log.iterdir()) if log.name in names else []
    except OSError as error:
        raise damaged(log, f"cannot be listed ({error.strerror})") from None
    commits = {int(m[1]) for f in files if (m := _COMMIT.fullmatch(f.name))}
    # Delta passes over an empty checkpoint, rightly: it only repeats the commits.
    checkpoints = {
        int(m[1]) for f in files if (m := _CHECKPOINT.fullmatch(f.name)) and _stat(f).st_size
    }
    if not commits and not checkpoints and any(n.endswith(".parquet") for n in names):
        raise damaged(log, "has no commit, but there is data beside it")
    return commits, checkpoints


def _check_hint(table: Path, checkpoints: set[int]) -> None:
    """Delta follows the hint to the newest checkpoint, unless it is no JSON."""
    hint = table / "_delta_log" / _HINT
    try:
        version = json.loads(hint.read_bytes())["version"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return
    if not any(isinstance(version, int) and v >= version for v in checkpoints):
        raise EditmillError(f"{hint}: names a checkpoint that is not there; delete this file")


def _check_checkpoint(table: Path, version: int, can_be_spared: bool) -> None:
    path = table / "_delta_log" / f"{version:020}.checkpoint.parquet"
    status = _stat(path)
    try:
        _check_parquet(path, status.st_size, status.st_mtime_ns)
    except EditmillError:
        if not can_be_spared:
            raise
        raise EditmillError(
            f"{path}: is damaged; delete it, and {_HINT} beside it: "
            "the commits say the same and are all there"
        ) from None


@functools.lru_cache(_REMEMBERED)
def _check_commit(path: Path, size: int, mtime_ns: int) -> None:
    """A commit is a JSON object a line; a merge's first also counts the files that follow."""
    try:
        actions = [json.loads(line) for line in path.read_bytes().splitlines()]
    except OSError as error:
        raise damaged(path, f"cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise damaged(path, "is cut short or overwritten") from None
    if not actions:
        raise damaged(path, "is empty")
    if not all(isinstance(action, dict) for action in actions):
        raise damaged(path, "is overwritten")
    if len(actions) - 1 < _announced(actions[0]):
        raise damaged(path, "is cut short")


def _announced(first: dict[str, Any]) -> int:
    """How many actions a commit's first line says follow it, at least; 0 for what does not say."""
    try:
        information = first["commitInfo"]
        metrics = information.get("operationMetrics", {})
        return int(information.get(COUNT, 0)) + sum(int(metrics.get(name, 0)) for name in _FILES)
    except (KeyError, TypeError, ValueError, AttributeError):
        return 0


@functools.lru_cache(_REMEMBERED)
def _check_parquet(path: Path, size: int, mtime_ns: int) -> None:
    try:
        with path.open("rb") as file:
            begins = file.read(len(_MAGIC))
            file.seek(max(0, size - len(_MAGIC)))
            ends = file.read()
        if begins != _MAGIC or ends != _MAGIC:
            raise damaged(path, "is cut short or overwritten")
        pl.read_parquet_schema(path)
    except OSError as error:
        raise damaged(path, f"cannot be read ({error.strerror})") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        raise damaged(path, "is cut short or overwritten") from None


def _stat(path: Path) -> Any:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise damaged(path, "is missing") from None
    except OSError as error:
        raise damaged(path, f"cannot be read ({error.strerror})") from None
    if not path.is_file():
        raise damaged(path, "is no file")
    return status


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
