"""Files by pattern: a path, a glob, a brace list, a folder; on disks, in buckets, behind links."""

from __future__ import annotations

import glob
import itertools
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from catalog.errors import EditmillError
from flows.sources.files import s3
from flows.sources.files.file import CheckStop, FileState, ReadableFile
from flows.sources.files.link import LinkedFile
from flows.sources.files.local import LocalFile

MOST = 1_000_000
"""Files that one brace list may name; more is a slip of the pen."""

LINK = ("http://", "https://")

_BRACES = re.compile(r"\{([^{}]*)\}")
_NUMBERS = re.compile(r"(\d+)\.\.(\d+)")
_GLOB = re.compile(r"[*?\[]")


class NoSuchFile(EditmillError):
    """A pattern that no file fits."""


def expanded(pattern: str) -> list[str]:
    """What a brace list stands for, as in a shell: `{000..012}` is the numbers with their leading
    zeros, `{a,b}` one or the other. Raises EditmillError for more than MOST."""
    parts = _BRACES.split(pattern)  # texts and, at odd places, what stands in braces
    choices = [[part] if i % 2 == 0 else _choices(part, pattern) for i, part in enumerate(parts)]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MOST:
        raise EditmillError(f"{pattern}: stands for {count} files; name fewer")
    return ["".join(some) for some in itertools.product(*choices)]


def files(
    pattern: str, suffixes: tuple[str, ...], hosts: tuple[str, ...], check_stop: CheckStop
) -> Iterator[tuple[ReadableFile, FileState | None]]:
    """The files of a pattern, sorted within each of its globs and folders, with their state where
    it is known already. Of a folder those with one of these suffixes, at any depth.

    Raises NoSuchFile where a folder or glob has none, or a local file is not there.
    """
    for place in expanded(pattern):
        check_stop()
        if place.startswith(LINK):
            yield LinkedFile(place, hosts), None
            continue
        some = _objects if place.startswith(s3.SCHEME) else _local
        empty = True
        for found in some(place, suffixes):
            empty = False
            yield found
        if empty:
            raise NoSuchFile(
                f"{place}: no file there ({' or '.join(suffixes)}); correct the recipe's `sources`"
            )


def _local(
    place: str, suffixes: tuple[str, ...]
) -> Iterator[tuple[ReadableFile, FileState | None]]:
    try:
        path = Path(place).expanduser().absolute()
    except RuntimeError:  # `~nobody`
        raise EditmillError(f"{place}: no such user; correct the recipe's `sources`") from None
    if path.is_dir():
        below = sorted(p for p in path.rglob("*") if _is_shown(p.relative_to(path)))
        paths = [p for p in below if p.name.lower().endswith(suffixes) and p.is_file()]
    elif path.exists():
        paths = [path]
    else:
        # Path.glob would also find what is hidden.
        paths = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
    yield from ((LocalFile(path), None) for path in paths)


def _objects(
    place: str, suffixes: tuple[str, ...]
) -> Iterator[tuple[ReadableFile, FileState | None]]:
    bucket, key = s3.split(place)
    if not _GLOB.search(key) and key.lower().endswith(suffixes):
        yield s3.S3Object(bucket, key), None
        return
    fixed = _GLOB.split(key)[0]
    folder = fixed.rpartition("/")[0] if fixed != key else key
    for found, state in s3.listed(bucket, folder):
        if _matches(found.key, key) if fixed != key else found.key.lower().endswith(suffixes):
            yield found, state


def _matches(key: str, pattern: str) -> bool:
    """Whether a key fits; `*` stays within its folder, as on a disk."""
    parts, wanted = key.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _is_shown(path: Path) -> bool:
    return not any(part.startswith(".") for part in path.parts)


def _choices(text: str, pattern: str) -> list[str]:
    numbers = _NUMBERS.fullmatch(text)
    if numbers is None:
        return text.split(",") if "," in text else ["{" + text + "}"]
    first, last = int(numbers[1]), int(numbers[2])
    if not 0 <= last - first < MOST:
        raise EditmillError(f"{pattern}: {{{text}}} is no range of up to {MOST} numbers; mend it")
    return [str(n).zfill(len(numbers[1])) for n in range(first, last + 1)]
