"""A process that finds and fetches as a build does; tests and the bench kill it.

python -m tests.flows.sources.stock_build SITE URL FOLDER PER_BUILD [ROUND]
"""

from __future__ import annotations

import sys
from pathlib import Path

from catalog.storage.files import sweep
from flows.sources.source import RemoteVideo
from flows.sources.stock.pexels import PexelsSources
from flows.sources.stock.pixabay import PixabaySources
from flows.sources.stock.section import StockSection
from tests.flows.sources.answers import KeptAnswers, go


def section(site: str, url: str, per_build: int) -> StockSection:
    kinds = {"pexels": (PexelsSources, "/v1"), "pixabay": (PixabaySources, "/api/videos")}
    kind, path = kinds[site]
    keys = {"kind": site, "search": ["dogs"], "endpoint": url + path, "per_build": per_build}
    return kind.model_validate(keys)


def fetch(video: RemoteVideo, folder: Path) -> None:
    """Fetch the video where it was not."""
    path = folder / f"{video.identity.replace(':', '-')}{video.suffix}"
    if not path.exists():
        video.address.download(path, go)


def main() -> None:
    site, url, folder, per_build, *number = sys.argv[1:]
    answers = KeptAnswers(Path(folder) / "catalog", round=int(number[0]) if number else 1)
    media = Path(folder) / "media"
    media.mkdir(parents=True, exist_ok=True)
    sweep(media)
    for video in section(site, url, int(per_build)).find(answers).files:
        fetch(video, media)


if __name__ == "__main__":
    main()
