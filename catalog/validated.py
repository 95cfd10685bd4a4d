"""YAML that people write, read into pydantic models: an error says what is wrong in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo

from catalog.errors import EditmillError


class Part(BaseModel):
    """A section of a file: unknown keys are errors, numbers are finite and no booleans, and nothing
    changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, values: Any) -> Any:
        # Pydantic would read 1 where `yes` is written. Its strict mode refuses more than that: a
        # list for a tuple, and `1e-4`, which YAML takes for a text. A validator of each field could
        # not stand on the one that tells the members of a union apart.
        for name, field in cls.model_fields.items() if isinstance(values, dict) else ():
            kinds = set(_kinds(field.annotation))
            if kinds & {int, float} and bool not in kinds:
                for place in _booleans(values.get(name), name):
                    raise ValueError(
                        f"`{place}` needs a number, and yes, no, true and false are none"
                    )
        return values

    def check_order(self, low: str, high: str) -> None:
        """Raises ValueError that names both fields where the value of `low` is above that of
        `high`; None bounds nothing."""
        least, most = getattr(self, low), getattr(self, high)
        if least is not None and most is not None and least > most:
            raise ValueError(f"`{low}` is {least}, above `{high}`, {most}")


M = TypeVar("M", bound=BaseModel)


MOST_CHARACTERS = 1 << 20
"""Of a text; the longest recipe that is shipped has some thousands."""

MOST_DEPTH = 50
"""Lists and mappings within each other."""

MOST_VALUES = 100_000
"""With each alias counted as what it stands for: a kilobyte of them can stand for 10^11."""

MISSPELT = 0.7
"""Similarity (difflib's ratio) of keys from which one may stand for the other: `evalute`."""


class _Loader(yaml.SafeLoader):
    """YAML of bounded size, without tags (`!!python/name:os.system`), in which no key stands twice:
    the second would silently take the first's place."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise yaml.YAMLError(f"nested more than {MOST_DEPTH} deep")
        if tag := getattr(self.peek_event(), "tag", None):
            raise yaml.YAMLError(f"the tag {tag}, which means nothing here")
        try:
            node: yaml.Node | None = super().compose_node(parent, index)
            return node
        finally:
            self.depth -= 1

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _values(node, {}) > MOST_VALUES:
            raise yaml.YAMLError(f"its aliases stand for more than {MOST_VALUES} values")
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag != "tag:yaml.org,2002:merge":
                key = key_node.value
                if isinstance(key, str) and key in seen:
                    raise yaml.YAMLError(
                        f"`{key}` stands in line {seen[key]} and again in line {line}: put both "
                        "under one"
                    )
                if isinstance(key, str):
                    seen[key] = line
        return super().construct_mapping(node, deep)


def mapping(text: str, where: str, shape: str) -> dict[str, Any]:
    """The keys of a YAML text. `where` names it in errors, `shape` says what it should be.

    Raises EditmillError if it is no YAML, or no mapping.
    """
    if len(text) > MOST_CHARACTERS:
        raise EditmillError(f"{where}: has more than {MOST_CHARACTERS} characters; {shape}")
    try:
        values = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no date, a number of 5000 digits
        line = _cut(" ".join(str(error).split()))
        raise EditmillError(f"{where}: not valid YAML ({line}); mend the syntax there") from None
    if not isinstance(values, dict):
        raise EditmillError(f"{where}: {shape}")
    return values


def validated(model: type[M], values: dict[str, Any], where: str) -> M:
    """The values as a model. Raises EditmillError naming the first wrong key, and what to do."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise EditmillError(f"{where}: {_cut(_first_problem(model, error))}") from None


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """The number of values in a node, each alias counted as what it stands for. Raises YAMLError
    for one that stands for what it lies in."""
    count = known.get(id(node))
    if count is None:
        known[id(node)] = 0  # while it is being counted
        children: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        known[id(node)] = count = 1 + sum(_values(child, known) for child in children)
    elif count == 0:
        raise yaml.YAMLError("an alias stands for what it lies in")
    return count


def _cut(text: str, most: int = 1000) -> str:
    return text if len(text) <= most else f"{text[:most]} …"


def _first_problem(model: type[BaseModel], error: ValidationError) -> str:
    # A misspelt key comes first: it often explains a missing one.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = sorted(_fields(model, first["loc"]))
        near = difflib.get_close_matches(str(first["loc"][-1]), known, 1, MISSPELT)
        meant = f" (did you mean `{near[0]}`?)" if near else ""
        return f"unknown key `{key}`{meant}; this place knows: {', '.join(known)}{more}"
    if first["type"] == "missing":
        field = _fields(model, first["loc"]).get(str(first["loc"][-1]))
        what = f": {field.description}" if field is not None and field.description else ""
        return f"`{key}` is missing; add it{what}{more}"
    message = first["msg"].removeprefix("Value error, ")
    if not key:
        return message
    return f"`{key}`: {message}; correct the value{more}"


def _fields(model: type[BaseModel], loc: Sequence[int | str]) -> dict[str, FieldInfo]:
    """The keys allowed where the one at `loc` is, itself among them."""
    here: list[type[BaseModel]] = [model]
    for part in loc[:-1]:
        fields = [m.model_fields[part] for m in here if part in m.model_fields]
        if fields:
            here = [m for field in fields for m in _models(field.annotation)]
        else:  # an index of a list, or the tag that tells the members of a union apart
            here = [m for m in here if part in _tags(m)] or here
    return {name: field for m in here for name, field in m.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    return (kind for kind in _kinds(annotation) if issubclass(kind, BaseModel))


def _kinds(annotation: Any) -> Iterator[type]:
    """The classes that an annotation names: of `dict[str, float] | None`, str, float and None's."""
    arguments = get_args(annotation)
    if isinstance(annotation, type) and not arguments:
        yield annotation
    for argument in arguments:
        yield from _kinds(argument)


def _booleans(value: Any, place: str) -> Iterator[str]:
    """Where booleans are in the value at `place`, as `weights.deblur`."""
    if isinstance(value, bool):
        yield place
    elif isinstance(value, dict | list | tuple):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _booleans(each, f"{place}.{key}")


def _tags(model: type[BaseModel]) -> set[Any]:
    fields = [field.annotation for field in model.model_fields.values()]
    return {tag for each in fields if get_origin(each) is Literal for tag in get_args(each)}
