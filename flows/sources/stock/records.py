"""What an API says of a video, as far as it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rendition:
    """One file of a video. `size` in bytes, 0 where the API does not say."""

    link: str
    width: int
    height: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class StockVideo:
    """A video of a stock site; `author` has its page behind the name, in brackets."""

    id: str
    page: str
    author: str
    seconds: float
    renditions: tuple[Rendition, ...]

    def document(self) -> list[Any]:
        """As JSON, short: a page of answers holds up to 200."""
        files = [[r.link, r.width, r.height, r.size] for r in self.renditions]
        return [self.id, self.page, self.author, self.seconds, files]

    @staticmethod
    def of(document: Sequence[Any]) -> StockVideo:
        identity, page, author, seconds, files = document
        return StockVideo(identity, page, author, seconds, tuple(Rendition(*f) for f in files))


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page of an API's answer; `last` where the results end with it."""

    videos: list[StockVideo]
    last: bool


@dataclass(frozen=True, slots=True)
class StockQuery:
    """What is asked, without the page and the key; `name` says it in a note."""

    name: str
    path: str  # below the endpoint
    params: tuple[tuple[str, str | int], ...] = ()


def suitable(
    renditions: Sequence[Rendition],
    *,
    short_side: int,
    smallest_side: int,
    largest_side: int,
    largest_bytes: int,
) -> Rendition | None:
    """The smallest rendition whose short side has `short_side` pixels, else the largest there is.

    None is considered whose short side is below `smallest_side`, whose long side is above
    `largest_side`, or which is known to be above `largest_bytes`.
    """
    allowed = [
        r
        for r in renditions
        if min(r.width, r.height) >= smallest_side
        and max(r.width, r.height) <= largest_side
        and r.size <= largest_bytes
    ]
    enough = [r for r in allowed if min(r.width, r.height) >= short_side]
    if enough:
        return min(enough, key=lambda r: (r.width * r.height, r.size, r.link))
    return max(allowed, key=lambda r: (r.width * r.height, -r.size, r.link), default=None)
