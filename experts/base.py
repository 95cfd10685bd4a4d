"""The contracts of everything with weights.

Lifecycle: a constructor is cheap and touches no weight; `load()` runs once per worker process and
may be called again at no cost; `close()` frees. Models may be shared by threads: calls are either
thread-safe or take the model's own lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from experts.licences import OutputLicence

Frames = NDArray[np.uint8]
"""RGB, [T, H, W, 3], 0–255."""

Masks = NDArray[np.bool_]
"""[T, H, W]; True where the object (or the hole) is."""


@runtime_checkable
class Model(Protocol):
    """Anything with weights. One that opens files of the manifest names them in `slots`, so that a
    release can say what took part in it."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Changes whenever the same input may give another output."""
        ...

    def load(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EditRequest:
    """One edit. `frames` [T, H, W, 3] at the edit's final size; `masks` [T, H, W] or None."""

    task: str
    frames: Frames
    masks: Masks | None = None
    prompt: str = ""
    negative_prompt: str = ""
    label: str = ""
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EditResult:
    """What the expert made.

    `frames` is the made side (which side of the pair that is, the task says), [T, H', W', 3].
    `masks` is where it may differ from the request's frames, [T, H, W], None if everywhere.
    `info` holds every parameter drawn from the seed and any measure worth a column, JSON-able.
    """

    frames: Frames
    masks: Masks | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Expert(Model, Protocol):
    """An editor. Same request, same seed, same machine: same bytes. Never modifies its input.

    `load()` fetches and opens what it needs; an expert without weights has nothing to do there.
    """

    @property
    def output_licence(self) -> OutputLicence | None:
        """Under which licence what it makes stands; None where that is not known."""
        ...

    def edit(self, request: EditRequest) -> EditResult: ...
