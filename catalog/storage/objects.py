"""A catalog in an S3 bucket, any service's: objects are put there, and read from local copies."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from catalog.errors import EditmillError
from catalog.storage.access import Access, s3_access
from catalog.storage.cache import Cache, cache_folder, cache_limit
from catalog.storage.faults import error_code, may_pass, storage_error, tries
from catalog.storage.files import temporary_name, unwritable
from catalog.storage.location import Stored, TableLocation
from catalog.storage.uploads import Uploads

T = TypeVar("T")

RETRY_SECONDS = 120.0
"""For how long a request is tried again, with growing and random pauses: a restart of a server or a
network's hiccup passes within it, and the signature of a request is good for five minutes."""

NAMED_BY_CONTENT = ("media/", "models/")
"""Below these a key says what the object holds, so that a copy of it never becomes stale."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")

_WRITER = "editmill-writer"
"""Metadata of a created object: who created it. Tells, when the answer got lost, who was first."""


_asked_in: int | None = None
"""The process whose requests obstore sends, with threads that a forked process has not."""


@functools.lru_cache(maxsize=32)  # each new one reads all of the machine's root certificates
def s3_store(bucket: str, prefix: str, access: Access, retry_seconds: float) -> S3Store:
    """The store of a bucket's objects below `prefix`. Nothing is asked of the service yet."""
    settings: dict[str, object] = {"region": access.region}
    if access.endpoint:  # both names, or a variable of the environment would win
        settings["endpoint"] = settings["aws_endpoint_url_s3"] = access.endpoint
    if access.key_id:
        settings["access_key_id"] = access.key_id
        settings["secret_access_key"] = access.secret
    if access.token:
        settings["session_token"] = access.token
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=settings,  # type: ignore[arg-type]
        client_options={
            "allow_http": access.endpoint.startswith("http:"),
            "connect_timeout": "10s",
            "read_timeout": "60s",
            "timeout": "10m",  # of a whole large object
        },
        retry_config={
            "max_retries": 30 if retry_seconds else 0,
            "retry_timeout": timedelta(seconds=retry_seconds),
        },
    )


class ObjectStorage:
    """The :class:`~catalog.storage.location.Storage` of `s3://bucket/prefix`.

    Nothing is asked of the service before the first object is. Added files are in the local cache
    at once and uploaded by a few threads (:meth:`flush`). Pickled, it is its URI: whoever unpickles
    it finds the keys in an environment of their own.
    """

    KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    """Where the user set the keys, for messages."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        access: Access | None = None,
        *,
        cache: Cache | None = None,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        if not _BUCKET.fullmatch(bucket):  # it may have keys in it: not shown
            raise EditmillError(
                "the name of the bucket is none; expected s3://bucket/prefix, and the keys in "
                f"{self.KEYS}"
            )
        self.bucket, self.prefix = bucket, prefix.strip("/")
        if "//" in self.prefix:
            raise EditmillError(f"{self.uri}: has an empty part, '//'; write one slash")
        self.access = s3_access() if access is None else access
        self.retry_seconds = retry_seconds
        self.cache = cache or Cache(cache_folder() / self._cache_name(), cache_limit())
        self._store = s3_store(bucket, self.prefix, self.access, retry_seconds)
        self._uploads = Uploads(self._send)
        self._fetching = [Lock() for _ in range(64)]  # one download of an object at a time
        self._found = False  # whether the bucket is known to be there
        self._answered = False

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return ObjectStorage, (self.bucket, self.prefix)

    def read(self, key: str) -> bytes | None:
        return self._find(lambda: bytes(obstore.get(self._store, key).bytes()))

    def write(self, key: str, data: bytes) -> None:
        self._ask(lambda: obstore.put(self._store, key, data))

    def create(self, key: str, data: bytes) -> bool:
        refuse_after_fork()
        writer = {_WRITER: uuid.uuid4().hex}
        fault: EditmillError | None = None
        for _ in tries(self.retry_seconds):  # obstore itself tries only the other requests again
            try:
                obstore.put(self._store, key, data, mode="create", attributes=writer)
                return True
            except AlreadyExistsError:
                fault = None
                break
            except (BaseError, OSError) as error:
                fault = self._fault(error)
                if error_code(error):  # an answer, and it will be the same again
                    break
        if fault is not None:
            raise fault
        # It is there; by an earlier try of this very request, perhaps, whose answer was lost.
        there = self._find(lambda: obstore.get(self._store, key).attributes)
        return there is not None and there.get(_WRITER) == writer[_WRITER]

    def add_file(self, key: str, path: Path) -> None:
        refuse_after_fork()
        if key in self._uploads:
            with suppress(FileNotFoundError):
                path.unlink()
            return
        self._uploads.check()
        self._uploads.add(key, self.cache.add_pinned(key, path))

    def flush(self) -> None:
        self._uploads.flush()

    def exists(self, key: str) -> bool:
        return self._find(lambda: obstore.head(self._store, key)) is not None

    def list(self, prefix: str) -> Iterator[Stored]:
        for found in self._listed(prefix.strip("/") or None):
            yield Stored(found["path"], found["size"], found["last_modified"].timestamp())

    def delete(self, keys: Iterable[str]) -> None:
        keys = list(keys)
        for key in keys:
            self.cache.remove(key)
        if keys:
            self._find_once(lambda: obstore.delete(self._store, keys))

    def local(self, key: str) -> Path:
        lasting = key.startswith(NAMED_BY_CONTENT)
        with self._fetching[hash(key) % len(self._fetching)]:
            if lasting or key in self._uploads:
                found = self.cache.find(key)
                if found is not None:
                    return found
            return self._fetch(key)

    @property
    def scratch(self) -> Path:
        return self.cache.scratch

    def table(self, name: str) -> TableLocation:
        folder = "/".join(part for part in (self.bucket, self.prefix, "tables", name) if part)
        return TableLocation(f"s3://{quote(folder)}", self.access.table_options())

    def _cache_name(self) -> str:
        """Of the folder of local copies: one for each place that objects come from."""
        place = f"{self.access.endpoint}\n{self.bucket}\n{self.prefix}"
        return f"{self.bucket}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"

    def _send(self, key: str, path: Path) -> None:
        if not self.exists(key):
            self._ask(lambda: obstore.put(self._store, key, path, max_concurrency=4))

    def _fetch(self, key: str) -> Path:
        """Bring the object into the cache."""
        result = self._find(lambda: obstore.get(self._store, key))
        if result is None:
            self.cache.remove(key)
            return self.cache.path(key)
        draft = self.cache.scratch / temporary_name(Path(key).suffix)
        chunks = iter(result.stream())
        fault: EditmillError | None = None
        try:
            with draft.open("wb") as file:
                while (chunk := self._ask(lambda: next(chunks, None), again=False)) is not None:
                    file.write(chunk)
            return self.cache.add(key, draft)
        except OSError as error:
            fault = unwritable(self.cache.folder, error)
        finally:
            draft.unlink(missing_ok=True)
        raise fault

    def _listed(self, folder: str | None) -> Iterator[Any]:
        """What obstore says of each object."""
        last, pages = None, None

        def next_page() -> Any:
            nonlocal pages
            try:  # a listing that broke off does not go on: another one begins behind the last key
                pages = pages or iter(obstore.list(self._store, folder, offset=last))
                return next(pages, None)
            except BaseException:
                pages = None
                raise

        while page := self._ask(next_page):
            yield from page
            last = page[-1]["path"]

    def _ask(self, request: Callable[[], T], again: bool = True) -> T:
        """The answer to a request. A service that has answered before and is away now is waited
        for, as obstore itself gives up after some seconds; not with `again` off: where `request`
        reads on in an answer, what comes after a break would be taken for all.

        What it raises has no other exception behind it, as an answer's text may repeat the keys.
        """
        refuse_after_fork()
        for _ in tries(self.retry_seconds if again and self._answered else 0):
            try:
                answer = request()
                self._answered = True
                return answer
            except (BaseError, OSError) as error:
                fault = self._fault(error)
                if not may_pass(error):
                    break
        raise fault

    def _find(self, request: Callable[[], T]) -> T | None:
        """The answer to a request for an object; None where there is no such object."""
        return self._find_once(request)

    def _find_once(self, request: Callable[[], T]) -> T | None:
        def or_nothing() -> T | None:
            try:
                return request()
            except FileNotFoundError as error:
                if error_code(error) == "NoSuchBucket":
                    raise
                return None

        answer = self._ask(or_nothing)
        if answer is None:
            self._find_bucket()
        return answer

    def _find_bucket(self) -> None:
        """Make sure that an object is missing, and not the bucket: a HEAD does not tell."""
        if not self._found:
            self._ask(lambda: next(iter(obstore.list(self._store, chunk_size=1)), None))
            self._found = True

    def _fault(self, error: Exception) -> EditmillError:
        endpoint = self.access.endpoint or "AWS"
        return storage_error(self.uri, endpoint, self.KEYS, error)


def refuse_after_fork() -> None:
    """Raise where a request would wait for ever, for threads that were lost in a fork."""
    global _asked_in
    if _asked_in is None:
        _asked_in = os.getpid()
    elif _asked_in != os.getpid():
        raise EditmillError(
            "a process that was forked cannot use the object storage that its parent has used; "
            "start it by 'spawn' (DataLoader: multiprocessing_context='spawn')"
        )
