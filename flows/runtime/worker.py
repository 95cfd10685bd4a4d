"""How much of a machine the libraries of a worker process use."""

from __future__ import annotations

import sys

import cv2
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from experts import memory
from experts import threads as experts_threads


def limit_threads(threads: int) -> None:
    """Threads each model call may use; shards already keep the other cores busy.

    Torch gets one all the same, and so does NumPy's linear algebra: another number would change
    the last bits of their results (`experts.threads`), and small matrices on two threads spend
    most of their time waiting for each other. To import torch for that takes two seconds that a
    build which finds all done does not need: whoever opens a network of torch sets it, too.
    """
    experts_threads.limit(threads)
    cv2.setNumThreads(threads)
    if "torch" in sys.modules:
        experts_threads.one_for_torch()
    threadpool_limits(1)


def limit_gpu_memory(gib: float | None) -> None:
    """GiB of each GPU that loaded models may take together; None: nearly all that it has."""
    memory.limit(None if gib is None else round(gib * memory.GIB))
