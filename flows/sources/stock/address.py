"""Where a stock video's file can be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import BadInput, EditmillError
from flows.sources.http import Denied, Gone, download, host_of, shared_client
from flows.sources.stock.api import Api

if TYPE_CHECKING:
    from flows.sources.stock.section import StockSection


@dataclass(frozen=True, slots=True)
class StockAddress:
    """A link as the API gave it; one that has expired is asked for anew, once."""

    section: StockSection
    video: str
    link: str

    @property
    def host(self) -> str:
        return host_of(self.link)

    def download(self, to: Path, check_stop: Callable[[], None]) -> None:
        """See :class:`flows.sources.source.Address`."""
        try:
            self._fetch(self.link, to, check_stop)
        except Denied as denied:
            self._fetch(self._fresh_link(denied, check_stop), to, check_stop)

    def _fetch(self, link: str, to: Path, check_stop: Callable[[], None]) -> None:
        client = shared_client(self.section.trusted())
        download(client, link, to, check_stop, most_bytes=self.section.largest_bytes)

    def _fresh_link(self, denied: Denied, check_stop: Callable[[], None]) -> str:
        try:
            with Api(self.section, check_stop) as api:
                video = api.video(self.video)
        except BadInput:
            raise
        except EditmillError as error:  # no key here: this file cannot be had, others can
            raise BadInput("denied", f"{denied}; no fresh link ({error})", final=False) from None
        rendition = self.section.rendition(video) if video else None
        if rendition is None:
            raise Gone(f"{self.section.SITE}: video {self.video} is no longer there", 404)
        return rendition.link
