"""What a retraining came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Retraining:
    """JSON-able through `dataclasses.asdict`.

    model: the expert or filter. reason: `better`, why the version was not promoted, or, where
    nothing was trained and so `model_id` is empty, why not. release: what was learnt from. new:
    records there that no earlier training had; new_labels: what people said of its pairs since.
    compared: both versions' figures, in words.
    """

    model: str
    reason: str
    release: str = ""
    new: int = 0
    model_id: str = ""
    promoted: bool = False
    compared: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    new_labels: int = 0

    def line(self) -> str:
        """For a person."""
        if not self.model_id:
            return f"{self.model}: nothing to learn from yet: {self.reason}"
        promoted = "promoted" if self.promoted else f"not promoted ({self.reason})"
        return f"{self.model_id}: {promoted}; {self.compared}"
