"""Where source videos come from: one file per kind, each with its section of the recipe and what
finds the footage that this section asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from catalog.errors import EditmillError
from flows.sources.files.paths import NoSuchFile
from flows.sources.source import (
    Answers,
    Footage,
    Listing,
    LocalSection,
    RemoteSection,
    RemoteVideo,
    Section,
    SourceFile,
)


def listing(sections: Sequence[Section], answers: Answers | None = None) -> Listing[Footage]:
    """Every source of these sections, in their order; samples are fetched when absent.

    Without `answers` only what lies on this machine is listed. Where a list, shard or dataset is
    gone, the others' footage is used, and what earlier builds found in it stays: the listing is
    `incomplete`. Raises EditmillError where no section gives anything else, for a folder that is
    not there, and where nothing can be footage.
    """
    files: list[Footage] = []
    notes: list[str] = []
    incomplete = False
    seen: set[str] = set()  # identities: what two sections find is the first one's
    gone: list[NoSuchFile] = []
    for section in sections:
        try:
            found = _found(section, answers)
        except NoSuchFile as error:
            gone.append(error)
            continue
        for file in found.files:
            if isinstance(file, RemoteVideo):
                if file.identity in seen:
                    continue
                seen.add(file.identity)
            files.append(dataclasses.replace(file, section=section))
        notes += found.notes
        incomplete |= found.incomplete
    if gone and not files and not incomplete:
        raise gone[0]
    notes += [f"{error}; what earlier builds found by it stays" for error in gone]
    incomplete |= bool(gone)
    refused = [f.refusal for f in files if isinstance(f, SourceFile) and f.refusal is not None]
    if refused and len(refused) == len(files):
        raise EditmillError(
            f"no source of {len(files)} can be read; the first: {refused[0].message}"
        )
    return Listing(_with_unique_names(files), notes, incomplete)


def local_files(sections: Sequence[Section]) -> list[SourceFile]:
    """The files of :func:`listing` that lie on this machine."""
    return [file for file in listing(sections).files if isinstance(file, SourceFile)]


def _found(section: Section, answers: Answers | None) -> Listing[SourceFile] | Listing[RemoteVideo]:
    if isinstance(section, LocalSection):
        return section.find()
    if isinstance(section, RemoteSection) and answers is not None:
        return section.find(answers)
    nothing: Listing[SourceFile] = Listing([])
    return nothing


def _with_unique_names(files: Iterable[Footage]) -> list[Footage]:
    """The files, those whose name is taken (two folders hold a `1.mp4`) under a longer one."""
    taken: set[str] = set()
    numbers: dict[str, int] = {}  # the last that a name was given: a list may have one name often
    apart = []
    for file in files:
        name, number = file.name, numbers.get(file.name, 1)
        while name in taken:
            number += 1
            name = f"{file.name} ({number})"
        taken.add(name)
        numbers[file.name] = number
        uri = name if file.uri == file.name else file.uri
        apart.append(dataclasses.replace(file, name=name, uri=uri))
    return apart
