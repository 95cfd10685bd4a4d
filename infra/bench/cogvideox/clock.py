"""Seconds, memory and the rate that they are measured against."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from infra.bench.cogvideox.models import DEVICE


def synchronize() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def seconds(work: Callable[[], Any], runs: int, warm: bool = False) -> float:
    """The median time of `work`, after one run that warms up, if it is not `warm`."""
    taken = []
    for _ in range(runs if warm else runs + 1):
        synchronize()
        begin = time.perf_counter()
        work()
        synchronize()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[-runs:])


def peak_gib() -> float | None:
    """The most memory held since the last call, GiB; None without a GPU. What nothing refers to any
    more is let go of, so that the next peak does not count it."""
    if DEVICE.type != "cuda":
        return None
    peak = torch.cuda.max_memory_allocated() / 2**30
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return round(peak, 2)


def matmul_rate() -> float:
    """FLOP/s of a square bfloat16 product."""
    side = 8192 if DEVICE.type == "cuda" else 512
    a, b = (torch.randn(side, side, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))

    def products() -> None:
        for _ in range(10):
            a @ b

    return 10 * 2 * side**3 / seconds(products, 5)
