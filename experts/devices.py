"""Which accelerator there is, and how much of it is in use."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU; `memory` in bytes."""

    name: str
    memory: int


def cuda_device() -> Device | None:
    """The first CUDA device, if there is one. Imports torch, which takes seconds."""
    import torch

    if not torch.cuda.is_available():
        return None
    return Device(torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory)


def memory_of(device: str) -> int:
    """Bytes of a CUDA device by torch's name of it (`cuda`, `cuda:1`). Imports torch."""
    import torch

    memory: int = torch.cuda.get_device_properties(torch.device(device)).total_memory
    return memory


def gpu_shares() -> dict[str, dict[str, float]]:
    """By CUDA device the share of its memory that is taken, by whomever, and where NVML is there
    the share of time in which it computed (`memory`, `compute`; 0–1). Empty where this process has
    not used a GPU; imports nothing."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {}
    found = {}
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        shares = {"memory": 1 - free / total}
        with suppress(ModuleNotFoundError, RuntimeError):  # torch asks NVML by a package of its own
            shares["compute"] = torch.cuda.utilization(number) / 100
        found[f"cuda:{number}"] = shares
    return found
