"""What one check of `editmill doctor` comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class SetupCheck:
    """One thing looked at. `cost` and `remedy` are empty where all is well."""

    name: str
    status: Status
    found: str
    cost: str = ""
    remedy: str = ""
