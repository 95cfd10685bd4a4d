"""A catalog on lakeFS: objects through its S3 gateway, versions through its API.

What is written to a branch is seen by whoever reads that branch, and by nobody else until it is
committed and merged, so a build that works on its own branch shows all it made at once.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from catalog.errors import EditmillError
from catalog.storage.access import Access, lakefs_access
from catalog.storage.cache import Cache
from catalog.storage.faults import error_code, tries
from catalog.storage.objects import RETRY_SECONDS, ObjectStorage

if TYPE_CHECKING:
    from lakefs import Branch, Repository

T = TypeVar("T")

_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # a branch, or a tag to read

_LOG = "/_delta_log/"

MERGE_SECONDS = 60.0
"""How long a merge is tried while others write to its destination. A try takes some 30 ms, on a
machine that has much else to do ten times that; a build's end may wait for a minute."""

LONGEST_PAUSE = 1.0
"""Seconds between two tries at most; on average they begin at a twentieth of that, and double."""

_PASSING = {423, 429, 500, 502, 503, 504}
"""Answers after which a request is tried again: the server or the branch is busy."""


class _Refusal(EditmillError):
    """What lakeFS answered instead: its status and its message."""

    def __init__(self, status: int, said: str, message: str) -> None:
        super().__init__(message)
        self.status, self.said = status, said


class LakefsStorage(ObjectStorage):
    """The :class:`~catalog.storage.location.Versioned` storage of `lakefs://repository/branch`.

    `main` is the branch that this one was made from and is merged into: itself for the one that a
    user names.
    """

    KEYS = "LAKECTL_CREDENTIALS_ACCESS_KEY_ID and LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY"

    def __init__(
        self,
        repository: str,
        ref: str = "main",
        access: Access | None = None,
        main: str | None = None,
        *,
        cache: Cache | None = None,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        if not _REPOSITORY.fullmatch(repository) or not _REF.fullmatch(ref):
            raise EditmillError(
                "that names no branch of a lakeFS repository; expected "
                f"lakefs://repository/branch, and the keys in {self.KEYS}"
            )
        self.ref, self.main = ref, main or ref
        access = lakefs_access() if access is None else access
        super().__init__(repository, ref, access, cache=cache, retry_seconds=retry_seconds)

    @property
    def uri(self) -> str:
        return f"lakefs://{self.bucket}/{self.ref}"

    def __reduce__(self) -> tuple[object, ...]:
        return LakefsStorage, (self.bucket, self.ref, None, self.main)

    def at(self, name: str) -> LakefsStorage:
        return LakefsStorage(
            self.bucket,
            name,
            self.access,
            main=self.main,
            cache=self.cache,
            retry_seconds=self.retry_seconds,
        )

    def branch(self, name: str) -> LakefsStorage:
        branch, there = self._repository.branch(name), self.at(name)
        self._request(lambda: branch.create(self.main, exist_ok=True))
        there.commit("What a build had made when it was interrupted", {})
        # One commit of main for both: main may move on meanwhile.
        newest = self._request(lambda: self._repository.branch(self.main).head.id)
        there._follow(LakefsStorage(self.bucket, newest, self.access, cache=self.cache))
        self._merge(newest, name, f"Take in {self.main}", {}, strategy="source-wins")
        return there

    def _follow(self, main: LakefsStorage) -> None:
        """Where this branch and `main`, at the commit that is going to be merged into it, have each
        written to a table, drop what only this branch did.

        The merge takes main's commits where both have one. Those that only the branch has would
        follow on them, and name files whose rows main has moved to others: they would be doubled.
        """
        own, theirs = self._logs(), main._logs()
        both = (key for key in own.keys() & theirs.keys() if key.endswith(".json"))
        parted = {key.partition(_LOG)[0] for key in both if own[key] != theirs[key]}
        if parted:
            self.delete(k for k in own if k.partition(_LOG)[0] in parted and k not in theirs)
            self.commit(f"Drop what {self.main} has written otherwise", {})

    def _logs(self) -> dict[str, str]:
        """The objects of all tables' logs, each with what tells its content."""
        listed = self._listed("tables")
        return {each["path"]: each["e_tag"] or "" for each in listed if _LOG in each["path"]}

    def commit(self, message: str, metadata: Mapping[str, str]) -> bool:
        self.flush()
        return self._commit(self.ref, message, metadata)

    def merge_into_main(self, message: str, metadata: Mapping[str, str]) -> None:
        self.commit(message, metadata)
        self._merge(self.ref, self.main, message, metadata)

    def tag(self, name: str) -> None:
        tag, head = self._repository.tag(name), self._request(lambda: self._branch.head.id)
        try:
            self._request(lambda: tag.create(head))
        except _Refusal as refusal:
            if refusal.status != 409:
                raise
            if not self.has_tag(name) or self._request(lambda: tag.get_commit().id) != head:
                raise EditmillError(
                    f"{self.uri}: there is a tag or branch {name} already; choose another name"
                ) from None

    def has_tag(self, name: str) -> bool:
        # Not by its commit: as which lakeFS takes a branch's name, and the beginning of an id, too.
        found = self._request(lambda: list(self._repository.tags(max_amount=1, prefix=name)))
        return any(tag.id == name for tag in found)

    def has_branch(self, name: str) -> bool:
        found = self._request(lambda: list(self._repository.branches(max_amount=1, prefix=name)))
        return any(branch.id == name for branch in found)

    def delete_branch(self) -> None:
        if self.ref == self.main:
            raise EditmillError(f"{self.uri}: is the main branch, which is never deleted")
        try:
            self._request(self._branch.delete)
        except _Refusal as refusal:
            if refusal.status != 404 or "branch" not in refusal.said:
                raise

    def _commit(self, ref: str, message: str, metadata: Mapping[str, str]) -> bool:
        branch = self._repository.branch(ref)
        try:
            self._request(lambda: branch.commit(message, metadata=dict(metadata)))
        except _Refusal as refusal:
            if "no changes" not in refusal.said:
                raise
            return False
        return True

    def _merge(
        self,
        source: str,
        destination: str,
        message: str,
        metadata: Mapping[str, str],
        strategy: str | None = None,
    ) -> None:
        settings = {"message": message, "metadata": dict(metadata), "strategy": strategy}
        given_up, pause = time.monotonic() + MERGE_SECONDS, LONGEST_PAUSE / 10
        while time.monotonic() < given_up:
            try:
                self._request(
                    lambda: self._repository.ref(source).merge_into(destination, **settings)
                )
                return
            except _Refusal as refusal:
                if "no changes" in refusal.said:
                    return
                if refusal.status == 409:
                    raise EditmillError(
                        f"lakefs://{self.bucket}/{destination}: the same objects were changed "
                        f"there and on {source}; run the build again: it continues where it was"
                    ) from None
                if "dirty branch" not in refusal.said:
                    raise
            time.sleep(random.uniform(0, pause))
            pause = min(2 * pause, LONGEST_PAUSE)
            # A merge wants committed what was written to the destination directly, and follows at
            # once, before more is.
            self._commit(destination, f"Status of builds, before {source} is merged", {})
        raise EditmillError(
            f"lakefs://{self.bucket}/{destination}: is being written to all the time, so that "
            f"{source} cannot be merged; run the build again when that has ended"
        )

    @cached_property
    def _repository(self) -> Repository:
        try:
            import lakefs
        except ImportError:
            lakefs = None  # type: ignore[assignment]
        if lakefs is None:
            raise EditmillError(
                "commits on lakeFS need the package lakefs; "
                "install it with: pip install 'editmill[lakefs]'"
            )
        access = self.access
        client = lakefs.Client(host=access.endpoint, username=access.key_id, password=access.secret)
        return lakefs.Repository(self.bucket, client=client)

    @property
    def _branch(self) -> Branch:
        return self._repository.branch(self.ref)

    def _request(self, request: Callable[[], T]) -> T:
        """The answer of lakeFS' API; tries again what may pass. Raises _Refusal for an answer that
        is none, and EditmillError where there is no answer."""
        from lakefs.exceptions import LakeFSException
        from urllib3.exceptions import HTTPError

        for _ in tries(self.retry_seconds):
            try:
                return request()
            except LakeFSException as error:
                refusal = self._refusal(error)
                fault: EditmillError = refusal
                passing = refusal.status in _PASSING
            except (HTTPError, OSError):
                passing = True
                fault = EditmillError(
                    f"{self.uri}: {self.access.endpoint} cannot be reached, also after several "
                    "tries; check endpoint and network and run again"
                )
            if not passing:
                break
        raise fault

    def _refusal(self, error: Exception) -> _Refusal:
        status = getattr(error, "status_code", None) or 0
        body = getattr(error, "body", None)
        said = str(body.get("message", "")) if isinstance(body, dict) else ""
        if status == 401:
            message = f"access denied ({status}): the keys are wrong; check {self.KEYS}"
        elif status == 404:
            message = self._missing()
        else:
            message = f"lakeFS answered: {said or 'nothing'} ({status}); mend that and run again"
        return _Refusal(status, said, f"{self.uri}: {message}")

    def _find(self, request: Callable[[], T]) -> T | None:
        """As in a bucket. lakeFS answers that there is no such object, too, while a commit moves it
        from what is uncommitted to what is committed: so that answer is asked for twice."""
        found = self._find_once(request)
        return self._find_once(request) if found is None else found

    def _cache_name(self) -> str:
        """Branches share their local copies: what a key's name says does not depend on a branch."""
        place = f"{self.access.endpoint}\n{self.bucket}"
        return f"{self.bucket}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"

    def _fault(self, error: Exception) -> EditmillError:
        # The gateway calls a repository a bucket, and cannot list a branch that is not there.
        if error_code(error) in ("NoSuchBucket", "BadRequest"):
            return EditmillError(f"{self.uri}: {self._missing()}")
        return super()._fault(error)

    def _missing(self) -> str:
        """Which of both is not there, the repository or the branch, and what to run."""
        repository, place = self.bucket, f"lakefs://{self.bucket}"
        unknown = f"there is no such repository or branch; look at: lakectl branch list {place}"
        try:
            from lakefs.exceptions import LakeFSException, NotFoundException
            from urllib3.exceptions import HTTPError
        except ImportError:  # objects need no package
            return unknown
        try:
            default = self._repository.properties.default_branch
        except NotFoundException:
            return (
                f"there is no repository {repository} at {self.access.endpoint}; make it with: "
                f"lakectl repo create {place} s3://BUCKET/{repository} (a prefix of its own in a "
                "bucket of yours), or set LAKECTL_SERVER_ENDPOINT_URL to the server that has it"
            )
        except (LakeFSException, HTTPError, OSError):  # these keys may not ask for it
            return unknown
        return (
            f"the repository has no branch or tag {self.ref}; name one that there is (lakectl "
            f"branch list {place}), or make it with: lakectl branch create {place}/{self.ref} "
            f"--source {place}/{default}"
        )
