"""Videos of Pixabay, through its API (https://pixabay.com/api/docs/, of 2026).

Its terms ask that nothing is asked for again within 24 hours, and do not allow systematic mass
downloads: whoever needs more than a person's project does must arrange it with them.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from flows.sources.http import Credential, StatusRefused
from flows.sources.stock.records import Rendition, ResultPage, StockQuery, StockVideo
from flows.sources.stock.section import StockSection, Term

PER_PAGE = 200
"""Videos of a page: the most that the API gives, which is of one search 500 in all."""


class PixabaySources(StockSection):
    """Videos found by search terms, or the most popular or latest ones of a category."""

    SITE: ClassVar[str] = "pixabay"
    LICENCE: ClassVar[str] = "LicenseRef-Pixabay"  # https://pixabay.com/service/license-summary/
    VARIABLE: ClassVar[str] = "PIXABAY_API_KEY"
    KEY_PAGE: ClassVar[str] = "https://pixabay.com/api/docs/"

    CACHED_FOR: ClassVar[float] = 24 * 3600.0

    kind: Literal["pixabay"]
    search: tuple[Term, ...] = ()
    popular: bool = False  # the most popular of all
    latest: bool = False  # the latest of all
    order: Literal["popular", "latest"] = "popular"  # of `search`
    video_type: Literal["all", "film", "animation"] = "film"
    category: (
        Literal[
            "backgrounds", "fashion", "nature", "science", "education", "feelings", "health",
            "people", "religion", "places", "animals", "industry", "computer", "food", "sports",
            "transportation", "travel", "buildings", "business", "music",
        ]
        | None
    ) = None  # fmt: skip
    lang: str | None = Field(default=None, pattern=r"^[a-z]{2}$")  # of the terms; English
    editors_choice: bool = False
    safesearch: bool = False
    endpoint: str = "https://pixabay.com/api/videos"

    @field_validator("search")
    @classmethod
    def _short(cls, terms: tuple[str, ...]) -> tuple[str, ...]:
        for term in terms:
            if len(term) > 100:
                raise ValueError(f"{term[:20]!r}…: a term has 100 characters at most")
        return terms

    @model_validator(mode="after")
    def _asks(self) -> PixabaySources:
        if not (self.search or self.popular or self.latest):
            raise ValueError(
                "nothing to look for; give `search`, `popular: true` or `latest: true`"
            )
        return self

    def questions(self) -> list[StockQuery]:
        given = {
            "video_type": self.video_type,
            "category": self.category,
            "lang": self.lang,
            "editors_choice": "true" if self.editors_choice else None,
            "safesearch": "true" if self.safesearch else None,
        }
        filters = tuple((name, value) for name, value in given.items() if value is not None)
        asked = [
            StockQuery(f"search {term!r}", "/", (("q", term), ("order", self.order), *filters))
            for term in self.search
        ]
        for order, wanted in (("popular", self.popular), ("latest", self.latest)):
            if wanted:
                asked.append(StockQuery(f"{order} videos", "/", (("order", order), *filters)))
        return asked

    def question_of(self, identity: str) -> StockQuery:
        return StockQuery(f"video {identity}", "/", (("id", identity),))

    def asked(self, question: StockQuery, number: int) -> dict[str, str | int]:
        return {**dict(question.params), "per_page": PER_PAGE, "page": number}

    def page(self, answer: dict[str, Any], number: int) -> ResultPage:
        videos = [_video(each) for each in answer["hits"]]
        return ResultPage(videos, last=number * PER_PAGE >= int(answer["totalHits"]))

    def credential(self, key: SecretStr) -> Credential:
        return Credential(self.endpoint, "query", "key", key)

    def refuses_key(self, error: StatusRefused) -> bool:
        return error.status in (401, 403) or "api key" in error.text.lower()

    def is_beyond(self, error: StatusRefused) -> bool:
        return error.status == 400 and '"page" is out of valid range' in error.text


def _video(entry: dict[str, Any]) -> StockVideo:
    author = str(entry.get("user") or "")
    if author:
        author += f" (https://pixabay.com/users/{author}-{entry['user_id']}/)"
    files = [
        Rendition(file["url"], file["width"], file["height"], file.get("size") or 0)
        for file in entry["videos"].values()
        if file.get("url") and file.get("width") and file.get("height")
    ]
    return StockVideo(
        str(entry["id"]), entry["pageURL"], author, float(entry.get("duration") or 0), tuple(files)
    )
