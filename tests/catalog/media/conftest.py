"""Files of other containers with the same packets."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from catalog.media import decode
from catalog.media.reading import Reading


@pytest.fixture
def in_process(monkeypatch) -> None:
    """Videos are decoded in the test's process, so that what it changes counts."""
    monkeypatch.setattr(decode, "opened", Reading)


@pytest.fixture
def remux() -> Callable[[Path, Path], None]:
    """`remux(whole, path)`: the video packets of `whole` in the container that `path` names."""

    def make(whole: Path, path: Path) -> None:
        with av.open(str(whole)) as source, av.open(str(path), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)

    return make
