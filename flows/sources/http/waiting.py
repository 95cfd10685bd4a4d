"""Time that passes: waits that a stop can end, and what servers say about how long to wait."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

SLICE = 0.5
"""Seconds between two looks for a stop while waiting."""

AN_EPOCH = 1_000_000_000
"""`X-RateLimit-Reset` is a UNIX time at some servers (Pexels) and the seconds that remain at others
(Pixabay). No limit lasts thirty years, and no UNIX time since 2001 is smaller."""


class Clock(Protocol):
    """What tells the time, waits and draws jitter; the tests' own goes faster."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def sleep(self, seconds: float) -> None: ...

    def jitter(self) -> float:
        """A factor in [0.5, 1], so that workers which failed together don't return together."""
        ...


class _System:
    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def jitter(self) -> float:
        return random.uniform(0.5, 1.0)


SYSTEM: Clock = _System()


def wait(seconds: float, clock: Clock, check_stop: Callable[[], None]) -> None:
    """Wait so long, whatever the time of day does meanwhile; `check_stop` is called all the while
    and may raise."""
    check_stop()
    while seconds > 0:
        clock.sleep(min(seconds, SLICE))
        seconds -= SLICE
        check_stop()


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that `Retry-After` asks for, which gives seconds or a date; None without it."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    at = _date(value)
    return None if at is None else max(0.0, at - _server_time(headers, now))


def until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until more requests are allowed; None where some remain or the headers don't say.

    Where the reset is a point in time, the server's own clock (`Date`) counts.
    """
    remaining = _number(headers, "x-ratelimit-remaining")
    reset = _number(headers, "x-ratelimit-reset")
    if remaining is None or reset is None or remaining > 0:
        return None
    return max(0.0, reset - _server_time(headers, now)) if reset >= AN_EPOCH else reset


def _server_time(headers: Mapping[str, str], now: float) -> float:
    at = _date(headers.get("date", ""))
    return now if at is None else at


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        return max(0.0, float(headers[name]))
    except (KeyError, ValueError):
        return None


def _date(text: str) -> float | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def clock_time(seconds: float) -> str:
    """A UNIX time for messages: `2026-11-26 14:05:09 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
