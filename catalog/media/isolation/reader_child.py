"""What runs in a process that reads a user's files: it calls what it is asked for until its parent
is gone."""

from __future__ import annotations

import importlib
import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import psutil

from catalog.errors import BadInput, EditmillError, one_line
from catalog.media.isolation.limits import DecodingLimits, bound_cpu, restrict
from catalog.media.isolation.messages import ALIVE, JSON, Channel, Message
from catalog.media.isolation.sandbox import give_up_network_and_programs

FILES = 4096
"""That may be open at once: a list may lie in many."""

WORK = 0.01
"""Seconds of CPU after which a reading is seen to go on: this thread alone takes a third of them
while the parent waits, and whoever reads from a slow disk far more."""


def main(sock: int, life: int, limits: dict[str, Any]) -> None:
    """Serve the parent at the other end of the socket `sock`; the pipe `life` ends with it."""
    bounds = DecodingLimits(**limits)
    give_up_network_and_programs()
    threading.Thread(target=_end_with, args=(life,), daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_RDWR), 2)  # what libraries print of a file
    restrict(bounds, files=FILES, mapped=True)
    channel, sending = Channel(socket.socket(fileno=sock)), threading.Lock()

    def send(message: Message) -> None:
        with sending:
            channel.send(message)

    def live() -> None:
        said = 0.0
        with suppress(OSError):
            while True:
                time.sleep(1)
                if time.process_time() - said > WORK:
                    send(Message(ALIVE))
                    said = time.process_time()

    threading.Thread(target=live, daemon=True).start()
    with suppress(OSError):  # the parent is gone
        while (message := channel.next()) is not None:
            bound_cpu(bounds.seconds)
            os.chdir(message.data["folder"])
            try:
                for found in _function(message.data["function"])(**message.data["arguments"]):
                    send(Message(JSON, data={"found": found}))
                answer: dict[str, Any] = {}
            except ConnectionError:
                raise
            except BadInput as error:
                answer = {"error": ["BadInput", str(error), error.reason, error.final]}
            except EditmillError as error:
                answer = {"error": ["EditmillError", str(error), "", True]}
            except MemoryError:
                os.abort()  # as libraries do that cannot have what they ask for
            except Exception as error:
                what = one_line(f"{type(error).__name__}: {error}")[:200]
                said = f"cannot be read ({what}); write it anew"
                answer = {"error": ["", said, "unreadable_file", True]}
            answer["used"] = psutil.Process().memory_info().rss
            send(Message(JSON, data=answer))


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _end_with(life: int) -> None:
    """End this process, whatever it does, when the parent's end of the pipe is closed."""
    os.read(life, 1)
    os._exit(0)
