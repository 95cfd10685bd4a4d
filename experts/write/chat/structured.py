"""Answers that are JSON of a known shape, whether the server held the model to it or not."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class Answer(BaseModel):
    """A shape: every field is needed, and there are no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


A = TypeVar("A", bound=Answer)


def schema_of(shape: type[Answer], **lengths: int) -> dict[str, Any]:
    """The JSON schema of a shape, with the number of items of the lists named: a small model does
    not end a list by itself."""
    schema = shape.model_json_schema()
    for name, length in lengths.items():
        schema["properties"][name] |= {"minItems": length, "maxItems": length}
    return schema


def read(text: str, shape: type[A]) -> A | None:
    """The JSON object in `text`, with or without words and a fence around it; None where there is
    none of this shape."""
    try:
        return shape.model_validate_json(text[text.find("{") : text.rfind("}") + 1])
    except ValidationError:
        return None
