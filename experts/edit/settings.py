"""What an expert's settings add to its version."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from catalog.keys import digest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def version_with(version: str, settings: DataclassInstance) -> str:
    """`version`, followed by a digest of the settings that differ from their defaults, if any do:
    a product made with other settings is another product."""
    usual = type(settings)()
    changed = {
        field.name: repr(value)
        for field in dataclasses.fields(settings)
        if (value := getattr(settings, field.name)) != getattr(usual, field.name)
    }
    return f"{version}+{digest(changed)[:8]}" if changed else version
