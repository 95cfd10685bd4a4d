"""A recipe's `models` section: which provider serves each slot."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator

from catalog.validated import Part
from experts.providers.choice import Choice, choice_of


def _read(slot: str, given: Any) -> Any:
    return None if given is None else choice_of(slot, given)


class Models(Part):
    """A provider per slot, as `name` or as `{provider: name, <its options>}`; the embedded ones by
    default. A slot without one is off: what needs it is not made, and said to be left out."""

    shots: Annotated[Choice, BeforeValidator(partial(_read, "shots"))] = Choice(
        slot="shots", provider="transnetv2"
    )
    captions: Annotated[Choice, BeforeValidator(partial(_read, "captions"))] = Choice(
        slot="captions", provider="labels"
    )
    detect: Annotated[Choice, BeforeValidator(partial(_read, "detect"))] = Choice(
        slot="detect", provider="efficientdet_lite2"
    )
    track: Annotated[Choice, BeforeValidator(partial(_read, "track"))] = Choice(
        slot="track", provider="keyframes"
    )
    region_captions: Annotated[Choice, BeforeValidator(partial(_read, "region_captions"))] = Choice(
        slot="region_captions", provider="measured"
    )
    depth: Annotated[Choice | None, BeforeValidator(partial(_read, "depth"))] = None
    flow: Annotated[Choice, BeforeValidator(partial(_read, "flow"))] = Choice(
        slot="flow", provider="dis"
    )
    encode: Annotated[Choice, BeforeValidator(partial(_read, "encode"))] = Choice(
        slot="encode", provider="embedded"
    )
    write: Annotated[Choice, BeforeValidator(partial(_read, "write"))] = Choice(
        slot="write", provider="smollm2"
    )
    first_frame: Annotated[Choice | None, BeforeValidator(partial(_read, "first_frame"))] = None
    judge: Annotated[Choice | None, BeforeValidator(partial(_read, "judge"))] = None
