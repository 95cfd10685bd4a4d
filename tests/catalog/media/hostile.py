"""What a library could be brought to do by a file, as functions that run in a reading process."""

import mmap
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.errors import BadInput


def count(upto: int) -> Iterator[Any]:
    yield from range(upto)
    yield os.getpid()


def crash() -> Iterator[Any]:
    yield "begins"
    os.kill(os.getpid(), signal.SIGSEGV)


def die() -> Iterator[Any]:
    yield "begins"
    os.kill(os.getpid(), signal.SIGKILL)


def wait() -> Iterator[Any]:
    time.sleep(600)
    yield


def map_file(path: str) -> Iterator[Any]:
    with Path(path).open("rb") as file:
        yield len(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def fill_memory() -> Iterator[Any]:
    yield len(bytearray(1 << 40))


def spin() -> Iterator[Any]:
    while True:
        pass
    yield


def fail() -> Iterator[Any]:
    raise RuntimeError("no\nsuch thing")
    yield


def refuse() -> Iterator[Any]:
    raise BadInput("too_odd", "f: is odd; mend it", final=False)
    yield


def say_too_much() -> Iterator[Any]:
    yield "x" * (17 << 20)


def look_around() -> Iterator[Any]:
    """What it can do that it should not."""
    yield [name for name in os.environ if "SECRET" in name]
    for attempt in (socket.socket, lambda: subprocess.run(["true"], check=True)):
        try:
            attempt()
            yield "done"
        except OSError as error:
            yield type(error).__name__
