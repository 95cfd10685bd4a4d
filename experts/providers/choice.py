"""A recipe's choice of a provider for a slot: its name, or its name with options.

    detect: grounding_dino
    detect: {provider: grounding_dino, checkpoint: ~/models/dino, device: cuda:0, threshold: 0.3}

Options are the keyword arguments of the provider's class, checked against its annotations when the
recipe is read.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Hashable
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    create_model,
    model_serializer,
)

from catalog.errors import EditmillError
from catalog.validated import Part
from experts.base import Model
from experts.instances import shared
from experts.providers.registry import provider, providers

OF_NO_RESULT = frozenset(
    {
        *("device", "offload", "batch", "threads"),
        *("concurrency", "timeout", "attempts", "patience"),
        *("api_key_variable", "price_per_million_input", "price_per_million_output"),
    }
)
"""Options that say where and how fast a model runs, how long it is waited for and what it costs, as
`run` does of a whole recipe. They are in no model's version either."""


class Choice(BaseModel):
    """Which provider serves a slot, with the options that are not its class's defaults."""

    model_config = ConfigDict(frozen=True)

    slot: str
    provider: str
    options: dict[str, Any] = {}

    @model_serializer
    def _written(self) -> dict[str, Any]:
        return {"provider": self.provider, **self.options}

    def decisions(self) -> dict[str, Any]:
        """As JSON has it, without the options that change no result."""
        written: dict[str, Any] = self.model_dump(mode="json")
        return {name: value for name, value in written.items() if name not in OF_NO_RESULT}


def choice_of(slot: str, given: Any) -> Choice:
    """What a recipe gives for `slot`: a provider's name, or a mapping with `provider` and options.

    Raises ValueError that says what was wrong and what there is.
    """
    if isinstance(given, Choice):
        return given
    table = {"provider": given} if isinstance(given, str) else given
    if not isinstance(table, dict) or not isinstance(table.get("provider"), str):
        raise ValueError(
            f"name one of {', '.join(providers(slot))}, or give a mapping with `provider` and its "
            "options"
        )
    name = table["provider"]
    options = {key: value for key, value in table.items() if key != "provider"}
    try:
        known = provider(slot, name)
        kind = known.kind()
        options = _checked(kind, options, name) if options else {}
        _construct(kind, options)
    except EditmillError as error:
        raise ValueError(str(error)) from None
    return Choice(slot=slot, provider=name, options=options)


def chosen(choice: Choice, **usual: Hashable) -> Any:
    """The process's one instance of what a recipe chose, not loaded unless it was before.

    `usual` are arguments that the caller has for any provider (`threads`, say): those are passed on
    that the class takes and the recipe does not set.
    """
    kind = provider(choice.slot, choice.provider).kind()
    taken = inspect.signature(kind).parameters
    given = {name: value for name, value in usual.items() if name in taken}
    model: Model = shared(kind, **{**given, **_hashable(choice.options)})
    return model


def _construct(kind: type, options: dict[str, Any]) -> None:
    """Raises what the class has against these options together. One that is given other models, as
    a tracker its detector, is made when those are."""
    given = inspect.signature(kind).parameters.values()
    if not any(each.kind is not each.KEYWORD_ONLY for each in given):
        kind(**_hashable(options))


def _hashable(options: dict[str, Any]) -> dict[str, Hashable]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }


class _Options(Part):
    """Options whose numbers are finite."""

    model_config = ConfigDict(allow_inf_nan=False)


@functools.cache
def _options(kind: type) -> type[Part]:
    """The keyword arguments of a class as a section of a recipe."""
    fields: dict[str, Any] = {
        name: (each.annotation, ... if each.default is each.empty else each.default)
        for name, each in inspect.signature(kind, eval_str=True).parameters.items()
        if each.kind is each.KEYWORD_ONLY
    }
    return create_model(f"{kind.__name__}Options", __base__=_Options, **fields)


def _checked(kind: type, options: dict[str, Any], name: str) -> dict[str, Any]:
    model = _options(kind)
    try:
        return model.model_validate(options).model_dump(include=set(options))
    except ValidationError as error:
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(model.model_fields)) or "none"
            raise ValueError(f"{name} has no option `{key}`; there are: {known}") from None
        message = first["msg"].removeprefix("Value error, ")
        option = f"option `{key}` of {name}" if key else name
        raise ValueError(f"{option}: {message}") from None
