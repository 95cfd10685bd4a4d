"""Descriptions of a flow's parameters, for the page of a Prefect server.

Prefect builds a parameter's schema from its annotation and its default, and drops the description
of a `Field` in `Annotated` (3.8, `process_v2_params`). A `Field` as the default would be kept, but
makes a required parameter look optional to a type checker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema


@dataclass(frozen=True, slots=True)
class Described:
    """`Annotated[Path, Described("…")]`: the text becomes the description in the JSON schema."""

    text: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"description": self.text}
