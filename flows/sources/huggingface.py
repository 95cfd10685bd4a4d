"""Videos of a Hugging Face dataset on a disk, as `datasets.load_dataset(folder)` reads it: a video
folder with its metadata, or Parquet files with the videos in them.

https://huggingface.co/docs/datasets/video_dataset
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from catalog.media.isolation import reader
from catalog.storage.files import replacing
from catalog.validated import Part
from flows.sources.files.file import FileRange, FileState, changed, refuse_too_large
from flows.sources.files.local import LocalFile
from flows.sources.files.paths import NoSuchFile, files
from flows.sources.http import MOST_BYTES
from flows.sources.links import reading, table
from flows.sources.links.video_column import VideoColumn, video_column
from flows.sources.rounds import ListSection, Remarks
from flows.sources.source import Answers, RemoteVideo
from flows.sources.suffixes import FOOTAGE

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""What names the videos of a video folder; its `file_name`s are relative to the folder it is in."""


class DatasetColumns(Part):
    """What the columns are called. `video` may be left out where only one column can be meant; the
    others may be missing in the dataset."""

    video: str | None = None
    name: str = "name"
    licence: str = "licence"
    author: str = "author"
    page: str = "page"


class DatasetSources(ListSection):
    """The videos of a dataset: a folder, or Parquet files by path or glob. By file, then by row."""

    kind: Literal["datasets"]
    path: str = Field(description="a dataset's folder, or a path or glob of its Parquet files")
    columns: DatasetColumns = DatasetColumns()

    def places(self) -> tuple[str, ...]:
        return (self.path,)

    def where(self) -> str:
        return self.path

    def videos(self, answers: Answers, remarks: Remarks) -> Iterator[RemoteVideo]:
        root = Path(self.path).expanduser().absolute()
        for path in self._tables(root, answers):
            yield from self._rows(path, root if root.is_dir() else path.parent, answers, remarks)

    def _tables(self, root: Path, answers: Answers) -> list[Path]:
        """The metadata of a video folder, else the Parquet files. Raises EditmillError where there
        are none."""
        if root.is_dir() and not (found := list(_local(root, METADATA, answers))):
            found = list(_local(root, (".parquet",), answers))
        elif not root.is_dir():
            found = list(_local(root, (".parquet", *METADATA), answers))
        if not found:
            raise NoSuchFile(
                f"{root}: neither a Parquet file nor {' or '.join(METADATA)} in it, so no dataset "
                "that `datasets.load_dataset` reads; of a folder of videos make a `kind: folder`"
            )
        return found

    def _rows(
        self, path: Path, root: Path, answers: Answers, remarks: Remarks
    ) -> Iterator[RemoteVideo]:
        file = LocalFile(path)
        state = file.state(answers.check_stop)
        listed = table.opened((str(path),), None, answers.check_stop)
        there = listed.columns()
        video = video_column(path, there, self.columns.video)
        columns = self._wanted(path, list(there))
        if not video.holds_bytes:
            columns["video"] = video.name
        content = digest(str(path), state.size, state.version)
        for first, *texts in listed.rows([reading.NUMBER, *columns.values()]):
            number, row = int(first), dict(zip(columns, texts, strict=True))
            if video.holds_bytes:
                # The videos are not read to list them, nor are their names, which lie among them.
                place = f"{path.relative_to(root).with_suffix('').as_posix()}/{number:06d}"
                cell = Cell(file, state, number, video, root)
                found: Found = place, f"{content}/{video.name}/{number}", cell
            else:
                try:
                    found = _located(row["video"], path.parent, root, answers.check_stop)
                except BadInput as error:
                    remarks.left_out[error.reason.replace("_", " ")] += 1
                    continue
            place, identity, address = found
            suffix = PurePosixPath(place).suffix.lower()
            yield RemoteVideo(
                name=row.get("name") or place,
                identity=f"datasets:{identity}",
                uri=row.get("page") or f"{root.name}/{place}",
                licence=row.get("licence") or self.licence,
                author=row.get("author", ""),
                address=address,
                suffix=suffix if suffix in FOOTAGE else ".mp4",
            )

    def _wanted(self, path: Path, there: list[str]) -> dict[str, str]:
        """The columns to read beside the video's, by what they hold."""
        given = self.columns.model_dump(exclude={"video"})
        for role, column in given.items():
            if role in self.columns.model_fields_set and column not in there:
                raise EditmillError(
                    f"{path}: has no column {column!r}, only {reading.named(there)}; correct "
                    "`columns` in the recipe"
                )
        return {role: column for role, column in given.items() if column in there}


@dataclass(frozen=True, slots=True)
class Cell:
    """The address of a video in a Parquet file, or of the file that the row names instead.

    Its row group is read to have it: some hundred megabytes as `datasets` writes them.
    """

    table: LocalFile
    state: FileState
    row: int
    column: VideoColumn
    root: Path
    most_bytes: int = MOST_BYTES

    @property
    def uri(self) -> str:
        return f"{self.table.uri}, row {self.row}"

    @property
    def host(self) -> str:
        return ""  # its table lies on this machine

    def download(self, to: Path, check_stop: Callable[[], None]) -> None:
        """See :class:`flows.sources.source.Address`."""
        if self.table.state(check_stop) != self.state:
            raise changed(self.table.uri)
        place = str(self.table.path)
        given = {"path": place, "row": self.row, "column": self.column.name, "uri": self.uri}
        found = reader.read(f"{reading.__name__}:cell", given, self.uri, check_stop=check_stop)
        with closing(found):
            size, path = next(found)
            if size is None and path:
                *_, address = _located(path, self.table.path.parent, self.root, check_stop)
                address.download(to, check_stop)
                return
            if not size:
                raise BadInput("empty_file", f"{self.uri}: the video has no bytes; replace it")
            refuse_too_large(self.uri, size, self.most_bytes)
            with replacing(to) as draft, draft.open("wb") as written:
                for piece in found:
                    check_stop()
                    written.write(base64.b64decode(piece))


Found = tuple[str, str, FileRange | Cell]
"""A video's name, what names it tomorrow, and its address."""


def _local(root: Path, suffixes: tuple[str, ...], answers: Answers) -> Iterator[Path]:
    """The files of a folder or pattern with these suffixes."""
    try:
        for file, _ in files(str(root), suffixes, (), answers.check_stop):
            if isinstance(file, LocalFile) and file.path.name.endswith(suffixes):
                yield file.path
    except NoSuchFile:
        return


def _located(
    text: str, folder: Path, root: Path, check_stop: Callable[[], None]
) -> tuple[str, str, FileRange]:
    """The file that a table in `folder` names: relative to that folder or else to the dataset's.

    Raises BadInput where it is not there or lies outside the dataset by its path. Links may lead
    outside: so the Hub's cache keeps its snapshots.
    """
    if not text:
        raise BadInput("without_a_video", f"{folder}: a row names no video")
    given = PurePosixPath(text)
    tried = [folder / given, root / given]
    if ".." in given.parts or not all(path.is_relative_to(root) for path in tried):
        raise BadInput("path_outside_of_the_dataset", f"{text}: leads out of {root}")
    for path in tried:
        file = LocalFile(path)
        if path.is_file():
            state = file.state(check_stop)
            identity = digest(str(path), state.size, state.version)
            place = path.relative_to(root).as_posix()
            return place, identity, FileRange.whole(file, state)
    raise BadInput("file_not_there", f"{root}: has no {text}, which a row names")
