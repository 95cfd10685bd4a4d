"""Videos of Pexels, through its API (https://www.pexels.com/api/documentation/, of 2026)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints, model_validator

from flows.sources.http import Credential
from flows.sources.stock.records import Rendition, ResultPage, StockQuery, StockVideo
from flows.sources.stock.section import StockSection, Term

PER_PAGE = 80
"""Videos of a page: the most that the API gives."""

Collection = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+$")]


class PexelsSources(StockSection):
    """Videos found by search terms, those that are popular, and those of collections."""

    SITE: ClassVar[str] = "pexels"
    LICENCE: ClassVar[str] = "LicenseRef-Pexels"  # https://www.pexels.com/license/
    VARIABLE: ClassVar[str] = "PEXELS_API_KEY"
    KEY_PAGE: ClassVar[str] = "https://www.pexels.com/api/"

    kind: Literal["pexels"]
    search: tuple[Term, ...] = ()
    popular: bool = False
    collections: tuple[Collection, ...] = ()  # ids, as the address of a collection's page ends
    # Of `search`:
    orientation: Literal["landscape", "portrait", "square"] | None = None
    size: Literal["large", "medium", "small"] | None = None  # at least 4K, Full HD, HD
    locale: str | None = Field(default=None, pattern=r"^[a-z]{2}-[A-Z]{2}$")
    endpoint: str = "https://api.pexels.com/v1"

    @model_validator(mode="after")
    def _asks(self) -> PexelsSources:
        if not (self.search or self.popular or self.collections):
            raise ValueError("nothing to look for; give `search`, `popular: true` or `collections`")
        return self

    def questions(self) -> list[StockQuery]:
        given = {"orientation": self.orientation, "size": self.size, "locale": self.locale}
        filters = tuple((name, value) for name, value in given.items() if value is not None)
        asked = [
            StockQuery(f"search {term!r}", "/videos/search", (("query", term), *filters))
            for term in self.search
        ]
        if self.popular:
            asked.append(StockQuery("popular videos", "/videos/popular", self._durations()))
        asked += [
            StockQuery(f"collection {each}", f"/collections/{each}", (("type", "videos"),))
            for each in self.collections
        ]
        return asked

    def question_of(self, identity: str) -> StockQuery:
        # The documentation has `videos` twice in this path.
        return StockQuery(f"video {identity}", f"/videos/videos/{identity}")

    def asked(self, question: StockQuery, number: int) -> dict[str, str | int]:
        return {**dict(question.params), "per_page": PER_PAGE, "page": number}

    def page(self, answer: dict[str, Any], number: int) -> ResultPage:
        if "video_files" in answer:  # a single video
            return ResultPage([_video(answer)], last=True)
        listed = answer["media"] if "media" in answer else answer["videos"]
        videos = [_video(each) for each in listed if "video_files" in each]
        return ResultPage(videos, last=not answer.get("next_page"))

    def credential(self, key: SecretStr) -> Credential:
        return Credential(self.endpoint, "header", "Authorization", key)

    def _durations(self) -> tuple[tuple[str, int], ...]:
        """Bounds that the API keeps itself for popular videos, in whole seconds."""
        given = {"min_duration": self.min_duration, "max_duration": self.max_duration}
        return tuple((name, int(value)) for name, value in given.items() if value is not None)


def _video(entry: dict[str, Any]) -> StockVideo:
    user = entry.get("user") or {}
    author = str(user.get("name") or "")
    if author and user.get("url"):
        author += f" ({user['url']})"
    files = [
        Rendition(file["link"], file["width"], file["height"], file.get("size") or 0)
        for file in entry["video_files"]
        if file.get("width") and file.get("height") and file.get("quality") != "hls"
    ]
    return StockVideo(
        str(entry["id"]), entry["url"], author, float(entry.get("duration") or 0), tuple(files)
    )
