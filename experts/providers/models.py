"""A recipe's `models` section: which provider serves each slot."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator

from catalog.validated import Part
from experts.providers.choice import Choice, choice_of
from experts.providers.registry import provider


def _read(slot: str, given: Any) -> Any:
    return None if given is None else choice_of(slot, given)


def _read_first_frame(given: Any) -> Any:
    if isinstance(given, dict) and "provider" not in given:
        return {task: choice_of("first_frame", each) for task, each in given.items()}
    return _read("first_frame", given)


def _short_captions(captions: Choice) -> Choice:
    """BLIP-2 as `VlmCaptions` makes it."""
    given = captions.options
    as_blip2 = {"device": "device", "dtype": "dtype", "short_checkpoint": "checkpoint"}
    options = {own: given[name] for name, own in as_blip2.items() if given.get(name)}
    return Choice(slot="captions", provider="blip2", options=options)


def _decided(chosen: FirstFrame) -> dict[str, Any] | None:
    if isinstance(chosen, dict):
        return {task: each.decisions() for task, each in chosen.items()}
    return None if chosen is None else chosen.decisions()


FirstFrame = Choice | dict[str, Choice] | None
"""One image editor for all tasks, or one by task; None where no expert needs any."""


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
    first_frame: Annotated[FirstFrame, BeforeValidator(_read_first_frame)] = None
    judge: Annotated[Choice | None, BeforeValidator(partial(_read, "judge"))] = None

    def choices(self) -> list[Choice]:
        """All that are used, in the section's order."""
        return [choice for slot in type(self).model_fields for choice in self.of(slot)]

    def decisions(self) -> dict[str, Any]:
        """All that can change a result, by slot."""
        return {slot: _decided(getattr(self, slot)) for slot in type(self).model_fields}

    def of(self, slot: str) -> list[Choice]:
        """Those that are used for a slot: none for a detector that the tracker does without, and
        two where one writes the short caption and another the rest."""
        given = getattr(self, slot)
        if slot == "detect" and slot not in provider("track", self.track.provider).uses:
            return []
        found = [*given.values()] if isinstance(given, dict) else [given] if given else []
        if slot == "captions" and given.options.get("short_by") == "blip2":
            found.append(_short_captions(given))
        return found

    def first_frame_of(self, task: str) -> Choice | None:
        """The image editor that paints the first frame of a task's edits."""
        if isinstance(self.first_frame, dict):
            return self.first_frame.get(task)
        return self.first_frame
