"""What options of several providers may be, checked when a recipe is read
(`experts.providers.choice`), beside pydantic's own `PositiveInt` and its like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Dtype = Literal["auto", "float32", "float16", "bfloat16"]
"""Of weights: torch's name, or `auto`."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A threshold on a probability, an overlap or a part of the frame."""
