"""Which accelerator there is."""

from __future__ import annotations

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
