"""What a provider needs before it can run, and what of it is here: shown, and fetched, before a
build. Nothing is loaded, and nothing but the provider's class is imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from catalog.errors import EditmillError
from experts import weights
from experts.checkpoint import Kind
from experts.checkpoint.download import Report
from experts.checkpoint.formats import weights_in
from experts.licences import of_weights
from experts.providers.choice import Choice
from experts.providers.registry import Provider, provider

State = Literal["here", "served", "missing", "no commit", "unusable"]
"""Of a provider's weights: `served` where a server has them."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A provider of a slot, as a recipe chose it.

    `checkpoint` is a folder, `owner/name@<commit>`, `owner/name` where no commit is settled, or
    empty for one without; `fault` says why it is unusable. `size` in bytes of all its weights,
    0 where not known. `gpu` in GiB at `dtype`. `may_train`: whether what it puts out
    may train a model, None where not known. `install` is the command that brings its library,
    empty where that is installed or there is none.
    """

    slot: str
    name: str
    what: str
    checkpoint: str
    state: State
    fault: str
    size: int
    gpu: float
    dtype: str
    licence: str
    licence_from: str
    may_train: bool | None
    library: str
    install: str


SERVED_LICENCE = "that of the model which the server serves"
UNKNOWN_LICENCE = "its licence is not known"


def requirement(slot: str, name: str, options: Mapping[str, Any] | None = None) -> Requirement:
    """What provider `name` of `slot` needs with a recipe's options.

    Raises EditmillError where there is no such provider.
    """
    known = provider(slot, name)
    options = options or {}
    served = is_served(known, options)
    checkpoint = "" if served else _named(known, options)
    state, fault = _state(known, checkpoint, served)
    output = known.output or (None if known.checkpoint else of_weights(*known.weights))
    licence, licence_from = known.licence, known.licence_from
    if served:
        licence, licence_from = SERVED_LICENCE, "whoever serves it"
    elif not known.is_licensed(checkpoint):
        licence, licence_from, output = UNKNOWN_LICENCE, "", None
    dtype = options.get("dtype", "auto")
    return Requirement(
        slot=slot,
        name=name,
        what=_what(known, checkpoint, options, served),
        checkpoint=checkpoint,
        state=state,
        fault=fault,
        size=0 if served else _size(known, checkpoint),
        gpu=_gpu(known, options, checkpoint, served),
        dtype=known.needs.dtype if dtype == "auto" else dtype,
        licence=licence,
        licence_from=licence_from,
        may_train=output.may_train if output and not served else None,
        library="" if served else known.needs.library,
        install="" if served else install_command(known.needs.library, known.needs.extra),
    )


def is_served(known: Provider, options: Mapping[str, Any]) -> bool:
    """Whether a server answers, so that nothing is opened here."""
    return known.name == "openai" or bool(options.get("server"))


def _what(known: Provider, checkpoint: str, options: Mapping[str, Any], served: bool) -> str:
    if served:
        return f"{options.get('model', 'a model')}, on a server"
    if known.is_own(checkpoint):
        return known.what
    if sibling := known.sibling(checkpoint):
        return sibling.what
    return f"a checkpoint of your own, planned for as what {known.name} has by default"


def _gpu(known: Provider, options: Mapping[str, Any], checkpoint: str, served: bool) -> float:
    if served or options.get("device") == "cpu":
        return 0.0
    if sibling := known.sibling(checkpoint):
        return sibling.gpu
    return known.needs.offloaded if options.get("offload") else known.needs.gpu


def of_choices(choices: Iterable[Choice]) -> list[Requirement]:
    """Of each, in their order."""
    return [requirement(c.slot, c.provider, c.options) for c in choices]


def checkpoint_version(choice: Choice) -> str:
    """Of the checkpoint that a choice opens, and its library; empty for one that opens none.

    Raises EditmillError, one line, where a library, a folder or a commit lacks. Nothing is fetched.
    """
    known = provider(choice.slot, choice.provider)
    if known.checkpoint is None or is_served(known, choice.options):
        return ""
    named = _named(known, choice.options)
    if named == known.checkpoint.repo:
        raise EditmillError(known.without_commit)
    return known.checkpoint_kind(named).version(named)


def fetch(needed: Requirement, report: Report | None = None) -> None:
    """Brings a checkpoint that is missing. Raises EditmillError, one line, where it can't be had.

    Files of the weights manifest are fetched by `experts.weights.fetch_all`.
    """
    if needed.state == "missing" and needed.checkpoint:
        known = provider(needed.slot, needed.name)
        known.checkpoint_kind(needed.checkpoint).folder(needed.checkpoint, report)


def state_of(kind: Kind, checkpoint: str) -> tuple[State, str]:
    """Of a checkpoint that is named, and why it is unusable (empty if it is not)."""
    try:
        return ("missing" if kind.present(checkpoint) is None else "here"), ""
    except EditmillError as error:
        return "unusable", str(error)


def install_command(library: str, extra: str) -> str:
    """What brings a library, in the checkout; empty where it is installed, or is none."""
    missing = bool(library) and importlib.util.find_spec(library) is None
    return f"pip install -e '.[{extra}]'" if missing else ""


def _named(known: Provider, options: Mapping[str, Any]) -> str:
    if given := options.get("checkpoint"):
        return str(given)
    kept = known.checkpoint
    if kept is None:
        return ""
    return f"{kept.repo}@{kept.commit}" if kept.commit else kept.repo


def _state(known: Provider, checkpoint: str, served: bool) -> tuple[State, str]:
    if served:
        return "served", ""
    if not all(weights.entry(name).present for name in known.weights):
        return "missing", ""
    if known.checkpoint is None:
        return "here", ""
    if checkpoint == known.checkpoint.repo:
        return "no commit", ""
    return state_of(known.checkpoint_kind(checkpoint), checkpoint)


def _size(known: Provider, checkpoint: str) -> int:
    files = sum(weights.entry(name).size for name in known.weights)
    kept = known.checkpoint
    if kept is None or known.is_own(checkpoint):
        return files + (kept.size if kept else 0)
    if sibling := known.sibling(checkpoint):
        return files + sibling.size
    return weights_in(checkpoint)
