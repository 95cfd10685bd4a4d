"""All that a recipe's build opens: the models of its slots, of `experts` and of `footage`."""

from __future__ import annotations

from catalog.errors import EditmillError
from experts import weights
from experts.checkpoint.download import Report
from experts.diffusion.model.bases import base_folder
from experts.edit.first_frame.controlnet_hed import CONTROLNET
from experts.edit.tasks import TASKS
from experts.providers import Choice, provider, requirements
from experts.providers.requirements import Requirement
from experts.serving import COGVIDEOX
from filters.footage import nsfw
from flows.commands.making.forecast import slots_of
from flows.recipe import Recipe

BESIDE = {("footage", "nsfw"): nsfw.CHECKPOINT, ("first_frame", "controlnet"): CONTROLNET}
"""Checkpoints that the registry does not list, by slot and name."""


def needed(recipe: Recipe) -> list[Requirement]:
    """Each model with what it needs, those of the slots first."""
    return [*requirements.of_choices(recipe.choices()), *_editors(recipe), *_beside(recipe)]


def files(recipe: Recipe) -> list[weights.Entry]:
    """Of the weights manifest: those of embedded models, and sample clips."""
    names = {w for c in recipe.choices() for w in provider(c.slot, c.provider).weights}
    names.update(entry.name for entry in slots_of(recipe))
    return [entry for entry in weights.entries() if entry.name in names]


def fetch(each: Requirement, report: Report) -> None:
    """Brings its checkpoint, where that is missing. Raises EditmillError, one line."""
    kind = BESIDE.get((each.slot, each.name))
    if kind is None:
        requirements.fetch(each, report)
    elif each.state == "missing":
        kind.folder(each.checkpoint, report)


def _editors(recipe: Recipe) -> list[Requirement]:
    """Of the `experts` that are not embedded, each once."""
    found: list[Requirement] = []
    for task, given in recipe.experts.items():
        if isinstance(given, Choice):
            found.append(requirements.requirement("edit", given.provider, given.options))
        elif given.partition("@")[0] == COGVIDEOX:
            found.append(_base(TASKS[task].trained if task in TASKS else task))
    return list(dict.fromkeys(found))


def _base(expert: str) -> Requirement:
    """The checkpoint that a trained expert is built on."""
    from experts.diffusion.specs import BASE_LICENCES, expert_named  # imports torch

    base = expert_named(expert).base
    licence = BASE_LICENCES[base]
    folder, fault = "", ""
    try:
        folder = str(base_folder(base, None))
    except EditmillError as error:
        fault = str(error)
    return Requirement(
        slot="edit",
        name=base,
        what=f"{base}, the base of experts trained from a catalog",
        checkpoint=folder,
        state="unusable" if fault else "here",
        fault=fault,
        size=0,
        gpu=0.0,
        dtype="bfloat16",
        licence=licence.name,
        licence_from=licence.source,
        may_train=licence.may_train,
        library="diffusers",
        install=requirements.install_command("diffusers", "gpu"),
    )


def _beside(recipe: Recipe) -> list[Requirement]:
    """Of the user's own NSFW classifier, and of a ControlNet beside its Stable Diffusion."""
    named = {}
    if recipe.footage.nsfw and nsfw.chosen():
        named["footage", "nsfw"] = nsfw.chosen()
    for choice in recipe.choices():
        if (choice.slot, choice.provider) == ("first_frame", "controlnet_hed"):
            named["first_frame", "controlnet"] = str(choice.options.get("controlnet", ""))
    return [_of_kind(slot, name, given) for (slot, name), given in named.items()]


def _of_kind(slot: str, name: str, named: str) -> Requirement:
    kind = BESIDE[slot, name]
    state, fault = requirements.state_of(kind, named)
    return Requirement(
        slot=slot,
        name=name,
        what=f"the {kind.what} that {kind.option} names",
        checkpoint=named,
        state=state,
        fault=fault,
        size=0,
        gpu=0.0,
        dtype="",
        licence=requirements.UNKNOWN_LICENCE,
        licence_from="",
        may_train=None,
        library=kind.library,
        install=requirements.install_command(kind.library, kind.extra),
    )
