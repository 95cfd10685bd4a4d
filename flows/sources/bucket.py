"""Every video below a prefix of an S3 bucket, reached as docs/storage.md has it for catalogs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from flows.sources.files import s3
from flows.sources.files.file import FileRange
from flows.sources.rounds import ListSection, Remarks
from flows.sources.source import Answers, RemoteVideo
from flows.sources.suffixes import FOOTAGE, unsupported


class BucketSources(ListSection):
    """The objects below a prefix whose names are videos', by key."""

    kind: Literal["s3"]
    uri: str = Field(description="s3://bucket/prefix")

    def places(self) -> tuple[str, ...]:
        return (self.where(),)

    def where(self) -> str:
        bucket, prefix = s3.split(self.uri)
        return f"{s3.SCHEME}{bucket}/{prefix}".rstrip("/")

    def videos(self, answers: Answers, remarks: Remarks) -> Iterator[RemoteVideo]:
        bucket, prefix = s3.split(self.uri)
        for found, state in s3.listed(bucket, prefix):
            suffix = PurePosixPath(found.key).suffix.lower()
            if suffix not in FOOTAGE:
                what = "that are not read" if unsupported(suffix) else "that are no video by name"
                remarks.left_out[what] += 1
                continue
            etag = state.version.strip('"')
            yield RemoteVideo(
                name=found.key[len(prefix) :].strip("/"),
                identity=f"s3:{bucket}/{found.key}@{etag}",
                uri=found.uri,
                licence=self.licence,
                author="",
                address=FileRange.whole(found, state),
                suffix=suffix,
            )
