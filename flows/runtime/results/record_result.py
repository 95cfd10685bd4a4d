"""What a stage has of a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RecordResult:
    """A record of a stage, where its product lies in the journal, and the product. `document` is
    None, and there is no key, where the record failed in a way worth another try; a record that
    failed for good has a product that says so."""

    stage: str
    record: str
    page: str
    key: str
    document: dict[str, Any] | None
