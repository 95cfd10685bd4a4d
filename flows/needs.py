"""All that a recipe's build opens: the models of its slots, of `experts` and of `footage`; whether
it is here, and in which stages it is used. Nothing is loaded."""

from __future__ import annotations

from collections.abc import Collection

from catalog import trained
from catalog.errors import EditmillError
from catalog.releases import Catalog
from experts import weights
from experts.checkpoint import Kind
from experts.checkpoint.download import Report
from experts.diffusion.model.bases import BASES, base_named
from experts.diffusion.specs import BASE_LICENCES, expert_named
from experts.edit.first_frame.controlnet_hed import CONTROLNET
from experts.edit.tasks import TASKS, expert_for
from experts.providers import Choice, provider, requirements
from experts.providers.requirements import Requirement
from experts.serving import COGVIDEOX, EMBEDDED, provider_of, recorded_base
from filters.footage import nsfw
from flows.recipe import Recipe
from flows.sources.samples import SampleSources

BESIDE: dict[tuple[str, str], Kind] = {
    ("footage", "nsfw"): nsfw.CHECKPOINT,
    ("first_frame", "controlnet"): CONTROLNET,
    **{("edit", name): base.kind for name, base in BASES.items()},
}
"""Checkpoints that the registry does not list, by slot and name."""

STAGES = (
    *("fetch", "look", "ingest", "caption", "annotate", "bank", "draw", "local_edit"),
    *("ideas", "edit", "instruct", "judge", "vlm", "best"),
)
"""Of both products, in the order in which a clip goes through them."""

USED_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("shots", "footage"), ("look",)),
    "captions": ("caption",),
    **dict.fromkeys(("detect", "track"), ("annotate",)),
    **dict.fromkeys(("region_captions", "flow"), ("local_edit",)),
    **dict.fromkeys(("edit", "first_frame", "depth"), ("edit",)),
    "write": ("ideas", "instruct"),
    "encode": ("judge",),
    "judge": ("vlm", "best"),
}
"""The stages that open the models of a slot, by slot; `footage` are the models by which footage is
refused."""


def slots_of(*stages: str) -> frozenset[str]:
    """Slots whose models one of these stages opens."""
    return frozenset(slot for slot, users in USED_BY.items() if set(users) & set(stages))


def slots_from(stage: str) -> frozenset[str]:
    """Slots that a record may need which has no product of `stage`: those of it and of all stages
    that follow."""
    return slots_of(*STAGES[STAGES.index(stage) :]) if stage in STAGES else frozenset()


def needed(recipe: Recipe, dataset: Catalog | None = None) -> list[Requirement]:
    """Each model with what it needs, those of the slots first. `dataset` holds the trained versions
    that the recipe names, and knows where their bases lie."""
    editors = _editors(recipe, dataset)
    return [*requirements.of_choices(recipe.choices()), *editors, *_beside(recipe)]


def files(recipe: Recipe, slots: Collection[str] | None = None) -> list[weights.WeightsEntry]:
    """Of the weights manifest: those of the embedded models that serve `slots`; by default of all,
    and sample clips."""
    named = _weights(recipe)
    names = {name for slot in (named if slots is None else slots) for name in named.get(slot, ())}
    return [entry for entry in weights.entries() if entry.name in names]


def fetch(each: Requirement, report: Report | None = None) -> None:
    """Brings its checkpoint, where that is missing. Raises EditmillError, one line."""
    kind = BESIDE.get((each.slot, each.name))
    if kind is None:
        requirements.fetch(each, report)
    elif each.state == "missing":
        kind.folder(each.checkpoint, report)


def _weights(recipe: Recipe) -> dict[str, set[str]]:
    """Names in the weights manifest by slot; those of sample clips under `sources`."""
    from filters.footage.models import models_for  # imported late: these are the models themselves

    named: dict[str, set[str]] = {}
    for choice in recipe.choices():
        named.setdefault(choice.slot, set()).update(provider(choice.slot, choice.provider).weights)
    named["footage"] = {
        name for model in models_for(recipe.footage).used for name in getattr(model, "slots", ())
    }
    named["edit"] = {
        name
        for task, weight in recipe.plan.weights.items()
        if weight and provider_of(recipe.experts, task) == EMBEDDED
        for name in getattr(expert_for(task), "slots", ())
    }
    named["sources"] = {
        name
        for section in recipe.sources
        if isinstance(section, SampleSources)
        for name in section.names
    }
    return named


def _editors(recipe: Recipe, dataset: Catalog | None) -> list[Requirement]:
    """Of the `experts` that are not embedded, each once."""
    found: list[Requirement] = []
    for task, given in recipe.experts.items():
        if isinstance(given, Choice):
            found.append(requirements.requirement("edit", given.provider, given.options))
        elif given.partition("@")[0] == COGVIDEOX:
            name = TASKS[task].trained if task in TASKS else task
            version = given.partition("@")[2].partition("/")[0]
            row = trained.find(dataset, name, version) if dataset and version else None
            found.append(_base(name, recorded_base(row) if row else None))
    return list(dict.fromkeys(found))


def _base(expert: str, recorded: str | None) -> Requirement:
    """The checkpoint that a trained expert is built on; `recorded` is the folder that its version
    was trained with."""
    base = expert_named(expert).base
    named = ""
    state: requirements.State
    try:
        named = base_named(base, recorded)
        state, fault = BASES[base].state(named)
    except EditmillError as error:
        state, fault = "unusable", str(error)
    licence = BASE_LICENCES[base]
    return Requirement(
        slot="edit",
        name=base,
        what=f"{base}, the base of experts trained from a catalog",
        checkpoint=named,
        state=state,
        fault=fault,
        size=BASES[base].size if BASES[base].is_own(named) else 0,
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
    return [_of_kind(slot, name, given) for slot, name, given in _named_beside(recipe)]


def versions_beside(recipe: Recipe) -> dict[str, str]:
    """Version of each checkpoint that the recipe opens and the registry does not list. Raises
    EditmillError, one line, where one or its library lacks; nothing is fetched."""
    return {
        f"{slot}/{name}/{given}": BESIDE[slot, name].version(given)
        for slot, name, given in _named_beside(recipe)
    }


def _named_beside(recipe: Recipe) -> list[tuple[str, str, str]]:
    """Slot, name and checkpoint, each once."""
    named = []
    if recipe.footage.nsfw and nsfw.chosen():
        named.append(("footage", "nsfw", nsfw.chosen()))
    for choice in recipe.choices():
        if (choice.slot, choice.provider) == ("first_frame", "controlnet_hed"):
            named.append(("first_frame", "controlnet", str(choice.options.get("controlnet", ""))))
    return list(dict.fromkeys(named))


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
