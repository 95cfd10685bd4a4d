"""The encoder that a filter's model is trained on, as a command or a flow's parameter names it."""

from __future__ import annotations

import json
from typing import Any

import yaml

from catalog.errors import EditmillError
from catalog.records import Release
from experts.instances import ready
from experts.providers import Choice, chosen
from experts.providers.choice import choice_of
from filters.encoder.base import Encoder
from filters.trained import EMBEDDED

Named = str | dict[str, Any]
"""A provider of the slot `encode`, or a mapping with `provider` and its options, as a recipe's
`models.encode` has it."""


def encoder_named(given: Named) -> Encoder:
    """The encoder, loaded. Raises EditmillError, one line, where it cannot be had."""
    encoder: Encoder = ready(chosen(choice_named(given)))
    return encoder


def of_release(release: Release) -> Named:
    """That of the recipe which a release was built by; the embedded one where it names none."""
    try:
        models = json.loads(release.recipe)["models"]
        given: Named = models["encode"]
    except (ValueError, LookupError, TypeError):
        return EMBEDDED
    return given


def from_option(text: str) -> Named:
    """A command's `--encoder`: a name, or YAML's `{provider: …, checkpoint: …}`. Raises
    EditmillError, one line."""
    try:
        given: Named = yaml.safe_load(text)
    except yaml.YAMLError:
        raise EditmillError(
            f"--encoder {text}: is no YAML; give a name, or {{provider: open_clip, checkpoint: …}}"
        ) from None
    choice_named(given)
    return given


def choice_named(given: Named) -> Choice:
    """The choice for the slot `encode`. Raises EditmillError, one line, where it is none."""
    try:
        return choice_of("encode", given)
    except ValueError as error:
        raise EditmillError(f"encoder: {error}") from None
