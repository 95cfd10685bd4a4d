"""What every kind of source deals in: sections of a recipe, local files and remote videos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pydantic import Field

from catalog.errors import BadInput
from catalog.validated import Part

MAX_FRAMES = 500
"""Longer sources are cut (Señorita-2M, video pre-processing)."""

MOST_OF_A_SOURCE = 1_000_000
"""Clips: more than a year of footage gives."""


class Section(Part):
    """A section of a recipe's `sources`: each kind is a class with one of the two bases below."""

    # In place of clips.per_source.
    per_source: int | None = Field(default=None, ge=1, le=MOST_OF_A_SOURCE)
    max_frames: int | None = Field(default=None, ge=33, le=MAX_FRAMES)  # of clips.max_frames
    labels: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The vocabulary of this footage (VIVID-10M); None: all that the detector knows."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file or folder gives no footage; becomes its row in `failures`. See BadInput."""

    reason: str
    message: str
    final: bool = True

    def error(self) -> BadInput:
        return BadInput(self.reason, self.message, final=self.final)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A video file on this machine, with what is known about its rights."""

    path: Path
    name: str  # valid UTF-8, even where the path is not; no two of a recipe's sources share one
    uri: str  # where it came from, in a form that means something elsewhere
    licence: str
    author: str = ""  # to be named with what is made of it, as its licence may ask for
    refusal: Refusal | None = None  # set: it cannot be footage
    section: Section = field(default_factory=Section)  # of the recipe, that it was found by
    copies: tuple[SourceFile, ...] = ()  # further files of the same content (flows.sources.copies)
    media: str = ""  # its reference, where it was fetched and so is media of the catalog
    fetched: RemoteVideo | None = None  # from where it was fetched


class Address(Protocol):
    """Where a remote video's file can be had now. Small, immutable and picklable: any worker may
    be the one that fetches it."""

    @property
    def host(self) -> str:
        """The server that is asked, whose videos fail together while it is away; empty for none."""
        ...

    def download(self, to: Path, check_stop: Callable[[], None]) -> None:
        """Write the whole file to `to`, piece by piece; `check_stop` is called between pieces and
        may raise.

        Raises BadInput where the file cannot be footage: final where it will never be (a page
        instead of a video, too large, no longer there), else with `final=False` (no answer, cut
        short). Nothing that is not the whole file may end up as one.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteVideo:
    """A video that lies elsewhere and becomes media of the catalog when it is fetched."""

    name: str  # `pexels/1448735`: no two of a recipe's sources share one
    identity: str  # what names the same video tomorrow, under any link: `pexels:1448735`
    uri: str  # its page, which means something elsewhere; no link that expires
    licence: str
    author: str
    address: Address
    suffix: str = ".mp4"
    section: Section = field(default_factory=Section)  # of the recipe, that it was found by


Footage = SourceFile | RemoteVideo
F = TypeVar("F", SourceFile, RemoteVideo, Footage)


@dataclass(frozen=True, slots=True)
class Listing(Generic[F]):
    """Sources as they are now; `notes` say in a line each what was left out."""

    files: list[F]
    notes: list[str] = field(default_factory=list)
    incomplete: bool = False  # something did not answer, so the next build should look again


class Answers(Protocol):
    """What remote places answered to this build and earlier ones, kept in the catalog."""

    def get(self, key: str) -> dict[str, Any] | None:
        """The answer under a key (:func:`catalog.keys.digest` of the question); None if it was
        never asked."""
        ...

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Keep an answer, durable when this returns. No answer may hold a secret."""
        ...

    def rounds(self, search: str) -> int:
        """Which round of a search (a key as above) this build belongs to: 1 for the first. A round
        ends with the release of its build, so a build that was killed goes on with its own."""
        ...

    def check_stop(self) -> None:
        """Raises once the build shall stop; to be called between requests."""
        ...


class LocalSection(Section):
    """Footage on this machine, listed anew by every build."""

    def find(self) -> Listing[SourceFile]:
        """Every source of the section, sorted.

        Raises EditmillError in one line where the section is wrong (no such folder) and where it
        has no video at all.
        """
        raise NotImplementedError


class RemoteSection(Section):
    """Footage that is fetched into the catalog."""

    def outlook(self) -> str:
        """What a build would find, as far as that is known without asking anybody elsewhere.

        Raises EditmillError in one line where the section is wrong.
        """
        raise NotImplementedError

    def find(self, answers: Answers) -> Listing[RemoteVideo]:
        """Every source of the section; what earlier builds found comes first, in the same order.

        Raises EditmillError in one line where the section is wrong (no key, no such dataset). A
        place that does not answer is a note, and the listing `incomplete`.
        """
        raise NotImplementedError
