"""All that a recipe's build opens: the models of its slots, of `experts` and of `footage`."""

from __future__ import annotations

from catalog.errors import EditmillError
from experts import weights
from experts.checkpoint.download import Report
from experts.diffusion.model.bases import base_folder
from experts.diffusion.specs import BASE_LICENCES, expert_named
from experts.edit.tasks import TASKS
from experts.providers import Choice, provider, requirements
from experts.providers.requirements import Requirement
from experts.serving import COGVIDEOX
from filters.footage import nsfw
from flows.commands.making.forecast import slots_of
from flows.recipe import Recipe

FOOTAGE = "footage"


def needed(recipe: Recipe) -> list[Requirement]:
    """Each model with what it needs, those of the slots first."""
    return [*requirements.of_models(recipe.models), *_editors(recipe), *_footage(recipe)]


def files(recipe: Recipe) -> list[weights.Entry]:
    """Of the weights manifest: those of embedded models, and sample clips."""
    names = {w for c in recipe.models.choices() for w in provider(c.slot, c.provider).weights}
    names.update(entry.name for entry in slots_of(recipe))
    return [entry for entry in weights.entries() if entry.name in names]


def fetch(each: Requirement, report: Report) -> None:
    """Brings its checkpoint, where that is missing. Raises EditmillError, one line."""
    if each.slot == FOOTAGE:
        nsfw.CHECKPOINT.folder(each.checkpoint, report)
    else:
        requirements.fetch(each, report)


def _editors(recipe: Recipe) -> list[Requirement]:
    """Of the `experts` that are not embedded, each once."""
    found: dict[str, Requirement] = {}
    for task, given in recipe.experts.items():
        if isinstance(given, Choice):
            made = requirements.requirement("edit", given.provider, given.options)
            found[f"{made.name} {made.checkpoint}"] = made
        elif given.partition("@")[0] == COGVIDEOX:
            base = _base(TASKS[task].trained if task in TASKS else task)
            found[base.name] = base
    return list(found.values())


def _base(expert: str) -> Requirement:
    """The checkpoint that a trained expert is built on."""
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
        what=f"{base}, the base of {expert} and others trained from a catalog",
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


def _footage(recipe: Recipe) -> list[Requirement]:
    """Of the user's own NSFW classifier; the embedded ones are among `files`."""
    named = nsfw.chosen()
    if not (recipe.footage.nsfw and named):
        return []
    kind = nsfw.CHECKPOINT
    state, fault = requirements.state_of(kind, named)
    return [
        Requirement(
            slot=FOOTAGE,
            name="nsfw",
            what=f"the {kind.what} that {nsfw.VARIABLE} names",
            checkpoint=named,
            state=state,
            fault=fault,
            size=0,
            gpu=0.0,
            dtype="float32",
            licence="licence not known",
            licence_from="",
            may_train=None,
            library=kind.library,
            install=requirements.install_command(kind.library, kind.extra),
        )
    ]
