"""A local server of files, and small real videos."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.flows.sources.lists.file_server import FileServer, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serving() as served:
        yield served


@pytest.fixture
def clips(write: Callable[..., Path]) -> list[bytes]:
    """Three videos of different content, each some kilobytes."""
    levels = (40, 120, 200)
    frames = [np.full((3, 64, 64, 3), level, np.uint8) for level in levels]
    paths = [write(f"clip {i}.mp4", some) for i, some in enumerate(frames)]
    return [path.read_bytes() for path in paths]
