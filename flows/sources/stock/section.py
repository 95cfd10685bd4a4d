"""A section of a recipe that searches a stock site, whatever site it is."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from flows.sources.http import MOST_BYTES, SYSTEM, Clock, Credential, StatusRefused
from flows.sources.rounds import MOST_VIDEOS
from flows.sources.source import Answers, Listing, RemoteSection, RemoteVideo
from flows.sources.stock.address import StockAddress
from flows.sources.stock.api import Api
from flows.sources.stock.key import api_key
from flows.sources.stock.listing import listing
from flows.sources.stock.records import Rendition, ResultPage, StockQuery, StockVideo, suitable
from flows.sources.stock.results import Results
from flows.sources.suffixes import FOOTAGE

Term = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class StockSection(RemoteSection):
    """What is searched at a stock site with an API, and which of its files are taken."""

    SITE: ClassVar[str]  # as names, identities and messages have it: `pexels`
    LICENCE: ClassVar[str]
    VARIABLE: ClassVar[str]  # of the environment, that holds the key
    KEY_PAGE: ClassVar[str]  # where a key is to be had
    CACHED_FOR: ClassVar[float] = 0.0  # seconds for which the site wants no page asked for again

    # New videos of each term or list that a build adds.
    per_build: int = Field(default=100, ge=1, le=MOST_VIDEOS)
    limit: int | None = Field(default=None, ge=1, le=MOST_VIDEOS)  # videos in all
    min_duration: float | None = Field(default=None, gt=0)  # seconds
    max_duration: float | None = Field(default=None, gt=0)
    # Pixels. The largest edits are 1280×1984 (Señorita-2M, in- and outpainting), and footage is
    # never upscaled; smaller footage is used down to 720 (VIVID-10M).
    short_side: int = Field(default=1280, ge=1)
    smallest_side: int = Field(default=720, ge=1)
    largest_side: int = Field(default=4096, ge=1)  # 4K as cinemas have it
    largest_bytes: int = Field(default=MOST_BYTES, ge=1)
    endpoint: str
    hosts: tuple[str, ...] = ()  # that may lie on a private network: a cache of one's own
    secret: str | None = Field(default=None, min_length=1)  # a Prefect Secret block with the key
    longest_wait: float = Field(default=900.0, ge=0)  # seconds, for a limit of requests to end

    @field_validator("endpoint")
    @classmethod
    def _plain(cls, endpoint: str) -> str:
        url = urlsplit(endpoint)
        if url.scheme not in ("http", "https") or not url.hostname or url.username or url.query:
            raise ValueError("an API's address begins with https:// and holds no user or key")
        return endpoint.rstrip("/")

    @field_validator("hosts")
    @classmethod
    def _lower(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(host.lower() for host in hosts)

    @model_validator(mode="after")
    def _ordered(self) -> StockSection:
        self.check_order("min_duration", "max_duration")
        self.check_order("smallest_side", "short_side")
        self.check_order("smallest_side", "largest_side")
        return self

    def check_key(self) -> None:
        """Raises EditmillError, one line, where the environment must hold a key and does not. In a
        Prefect block none is looked for: that takes a server."""
        if self.secret is None:
            api_key(self.SITE, self.VARIABLE, None, self.KEY_PAGE)

    # What each site does its own way

    def questions(self) -> list[StockQuery]:
        """What the section asks for; each is searched on its own."""
        raise NotImplementedError

    def question_of(self, identity: str) -> StockQuery:
        """What asks for a single video."""
        raise NotImplementedError

    def asked(self, question: StockQuery, number: int) -> dict[str, str | int]:
        """The parameters of a request for a page."""
        raise NotImplementedError

    def page(self, answer: dict[str, Any], number: int) -> ResultPage:
        """An answer's videos. Raises KeyError, TypeError or ValueError where it has none."""
        raise NotImplementedError

    def credential(self, key: SecretStr) -> Credential:
        raise NotImplementedError

    def refuses_key(self, error: StatusRefused) -> bool:
        return error.status in (401, 403)

    def is_beyond(self, error: StatusRefused) -> bool:
        """Whether a page was asked for that is behind the last one."""
        return False

    # What all do alike

    def outlook(self) -> str:
        searches = len(dict.fromkeys(self.questions()))
        most = f", no more than {self.limit} altogether" if self.limit is not None else ""
        return (
            f"{self.SITE}: was not asked; each build adds up to {self.per_build} videos of each of "
            f"its {searches} {'search' if searches == 1 else 'searches'}{most}"
        )

    def find(self, answers: Answers, clock: Clock = SYSTEM) -> Listing[RemoteVideo]:
        with Api(self, answers.check_stop, clock) as api:
            searches = [
                Results(self.SITE, each, answers, api.page, cached_for=self.CACHED_FOR, clock=clock)
                for each in dict.fromkeys(self.questions())
            ]
            found = listing(searches, answers, self.accepted, self.per_build, self.limit)
        notes = [f"{self.SITE}: {note}" for note in found.notes]
        return Listing(found.files, notes, found.incomplete)

    def trusted(self) -> frozenset[str]:
        """Hosts that the user named: `hosts`, and the endpoint's where it is not the site's own."""
        own = type(self).model_fields["endpoint"].default
        named = {urlsplit(self.endpoint).hostname or ""} if self.endpoint != own else set()
        return frozenset({*self.hosts, *named})

    def rendition(self, video: StockVideo) -> Rendition | None:
        """The file that is taken; see :func:`suitable`."""
        return suitable(
            video.renditions,
            short_side=self.short_side,
            smallest_side=self.smallest_side,
            largest_side=self.largest_side,
            largest_bytes=self.largest_bytes,
        )

    def accepted(self, video: StockVideo) -> RemoteVideo | str:
        """The video as it shall be fetched, or why it is left out."""
        if video.seconds < (self.min_duration or 0):
            return f"shorter than {self.min_duration:g} s"
        if video.seconds > (self.max_duration or float("inf")):
            return f"longer than {self.max_duration:g} s"
        rendition = self.rendition(video)
        if rendition is None:
            return (
                f"without a file of {self.smallest_side} px or more, and no more than "
                f"{self.largest_side} px and {self.largest_bytes:,} bytes"
            )
        suffix = PurePosixPath(urlsplit(rendition.link).path).suffix.lower()
        return RemoteVideo(
            name=f"{self.SITE}/{video.id}",
            identity=f"{self.SITE}:{video.id}",
            uri=video.page,
            licence=self.LICENCE,
            author=video.author,
            address=StockAddress(self, video.id, rendition.link),
            suffix=suffix if suffix in FOOTAGE else ".mp4",
        )
