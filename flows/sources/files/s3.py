"""Objects of S3 buckets, reached as docs/storage.md has it for catalogs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from catalog.errors import BadInput, EditmillError
from catalog.storage.access import s3_access
from catalog.storage.faults import error_code, may_pass, storage_error
from flows.sources.files.file import CheckStop, FileState, Unreachable, changed

if TYPE_CHECKING:
    from obstore.store import S3Store

T = TypeVar("T")

PIECE = 1 << 20
"""Bytes of a stream handed on at once."""

RETRY_SECONDS = 60.0
"""For how long a request is tried again: one video can wait for the next build, a catalog can't
(catalog.storage.objects)."""

KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

SCHEME = "s3://"

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")


@dataclass(frozen=True, slots=True)
class S3Object:
    """The object under a key. Whoever reads it has the keys in an environment of their own."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    def state(self, check_stop: CheckStop) -> FileState:
        import obstore

        check_stop()
        found = self._asked(lambda: obstore.head(_store(self.bucket), self.key))
        return FileState(found["size"], found["e_tag"] or "")

    def pieces(
        self, state: FileState, start: int, size: int, check_stop: CheckStop
    ) -> Iterator[bytes]:
        import obstore

        check_stop()

        result = self._asked(
            lambda: obstore.get(
                _store(self.bucket),
                self.key,
                options={"if_match": state.version or None, "range": (start, start + size)},
            )
        )
        # Not every service heeds If-Match.
        if FileState(result.meta["size"], result.meta["e_tag"] or "") != state:
            raise changed(self.uri)
        stream = iter(result.stream(PIECE))
        while (piece := self._asked(lambda: next(stream, None))) is not None:
            yield bytes(piece)
            check_stop()

    def _asked(self, request: Callable[[], T]) -> T:
        from obstore.exceptions import PreconditionError

        fault: EditmillError
        try:
            return _asked(self.uri, request)
        except FileNotFoundError:
            fault = BadInput("unreadable_file", f"{self.uri}: there is no such object")
        except PreconditionError:
            fault = changed(self.uri)
        except EditmillError as error:
            fault = BadInput("unreadable_file", str(error), final=False)
        raise fault  # with no other behind it, whose text may repeat the keys


def listed(bucket: str, prefix: str) -> Iterator[tuple[S3Object, FileState]]:
    """All objects below the folder `prefix` (empty for all), by key, a page at a time.

    Raises EditmillError in one line: no such bucket, refused keys; Unreachable where it may pass.
    """
    import obstore

    uri = f"{SCHEME}{bucket}/{prefix}".rstrip("/")
    pages = iter(obstore.list(_store(bucket), prefix.strip("/") or None, chunk_size=1000))
    while page := _asked(uri, lambda: next(pages, None)):
        for found in page:
            yield S3Object(bucket, found["path"]), FileState(found["size"], found["e_tag"] or "")


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`. Raises EditmillError where it is none."""
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or not _BUCKET.fullmatch(bucket):  # may have keys in it
        raise EditmillError(
            f"the recipe's `sources` name a bucket wrongly; expected s3://bucket/prefix, and the "
            f"keys in {KEYS}"
        )
    return bucket, key


def fault(uri: str, error: Exception) -> EditmillError:
    """The one line for what a request for `uri` raised, obstore's or polars'."""
    from obstore.exceptions import InvalidPathError

    if isinstance(error, InvalidPathError):
        return EditmillError(
            f"{uri}: an object there has a key with an empty part, '.' or '..', which cannot be "
            "read; rename it, or name a prefix without it"
        )
    if isinstance(error, FileNotFoundError) and error_code(error) != "NoSuchBucket":
        return EditmillError(f"{uri}: there is no such object, or bucket; correct the name")
    told = storage_error(uri, s3_access().endpoint or "AWS", KEYS, error)
    return Unreachable(str(told)) if may_pass(error) else told


def _asked(uri: str, request: Callable[[], T]) -> T:
    """The answer. Raises FileNotFoundError and PreconditionError as they are, else EditmillError
    with nothing behind it, as an answer's text may repeat the keys."""
    from obstore.exceptions import BaseError, PreconditionError

    from catalog.storage.objects import refuse_after_fork

    refuse_after_fork()
    told: Exception
    try:
        return request()
    except PreconditionError:
        raise
    except (BaseError, OSError) as error:
        if isinstance(error, FileNotFoundError) and error_code(error) != "NoSuchBucket":
            raise
        told = fault(uri, error)
    raise told


def _store(bucket: str) -> S3Store:
    from catalog.storage.objects import s3_store

    return s3_store(bucket, "", s3_access(), RETRY_SECONDS)
