"""Small videos with known content, and servers."""

import atexit
import faulthandler
import gc
import logging
import os

import certifi

if "PYTEST_XDIST_WORKER" in os.environ:
    # To free all objects and libraries at a worker's end takes five core-seconds, and what it found
    # is told: end at once, after all that others have registered.
    atexit.register(os._exit, 0)

if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores: read as torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Each client of a storage reads all certificates anew, and from a folder of one file for each that
# takes ten times as long; no server of the tests needs more than these.
os.environ.pop("SSL_CERT_DIR", None)
os.environ.setdefault("SSL_CERT_FILE", certifi.where())

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from catalog.credentials.identity import CERTIFICATES, FILE, KEY, own_identity
from experts import threads
from tests.servers import lakefs_server, lakefs_uri, s3_uri, storage_uri  # noqa: F401

# The same examples every time, and a busy machine is no error.
settings.register_profile("editmill", derandomize=True, deadline=None)
settings.load_profile("editmill")

if "PYTEST_XDIST_WORKER" in os.environ:  # what a model says does not depend on it
    threads.limit(1)
    cv2.setNumThreads(1)

Write = Callable[..., Path]


_stderr = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_stderr] = os.dup(2)  # while nothing is captured


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A crash is told with its traces: Ray, at its end, takes the handlers of such signals away,
    though the faulthandler believes itself enabled."""
    faulthandler.disable()
    faulthandler.enable(item.config.stash[_stderr])


def pytest_collection() -> None:
    """Imports of tests and libraries make what stays: to look for garbage among it takes as long as
    importing it, and so does each later look."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
    # At the very end, else some libraries complain of leaks: pytest, too, looks ten times at exit.
    atexit.register(gc.unfreeze)


@pytest.fixture(scope="session", autouse=True)
def _signing_identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What exports sign with, so that no test touches the user's own configuration."""
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("signing")
        own_identity(folder)
        patched.setenv(CERTIFICATES, str(folder / FILE))
        patched.setenv(KEY, str(folder / FILE))
        yield


@pytest.fixture(autouse=True)
def _log_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """What editmill logs reaches `caplog`, whatever a library's own configuration of logging did in
    a test before."""
    log = logging.getLogger("editmill")
    monkeypatch.setattr(log, "disabled", False)
    monkeypatch.setattr(log, "propagate", True)


def _scene(frames: int, height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    scene = np.empty((frames, height, width, 3), np.uint8)
    for k in range(frames):
        scene[k, ..., 0] = 40 + 150 * x / width
        scene[k, ..., 1] = 60 + 120 * y / height
        scene[k, ..., 2] = 100
        left = 4 * k % (width - 16)
        scene[k, 16:40, left : left + 16] = (200, 180, 40)
    return scene


@pytest.fixture
def scene() -> Callable[..., NDArray[np.uint8]]:
    """`scene(frames, height, width)`: a smooth ramp with a block that moves 4 px a frame."""
    return _scene


@pytest.fixture
def numbered() -> Callable[..., NDArray[np.uint8]]:
    """`numbered(frames)`: flat 64×64 frames, the k-th of level 20 + 5 k."""

    def make(frames: int) -> NDArray[np.uint8]:
        levels = (20 + 5 * np.arange(frames)).astype(np.uint8)
        return np.broadcast_to(levels[:, None, None, None], (frames, 64, 64, 3)).copy()

    return make


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(name, frames, …)`: encode with the given codec, pixel format, times and rotation."""

    def make(
        name: str,
        frames: NDArray[np.uint8],
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        times: list[int] | None = None,
        rotation: int = 0,
        options: dict[str, str] | None = None,
        aspect: Fraction | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(25))
            stream.width, stream.height = frames.shape[2], frames.shape[1]
            stream.pix_fmt = pix_fmt
            stream.options = options or {}
            tick = Fraction(1, 25) if times is None else Fraction(1, 1000)
            stream.codec_context.time_base = tick
            if aspect is not None:
                stream.codec_context.sample_aspect_ratio = aspect
            if rotation:
                stream.set_display_rotation(rotation)
            for k, rgb in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pix_fmt)
                frame.pts = k if times is None else times[k]
                frame.time_base = tick
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
