"""The YAML file of a training: the recipe's keys, and what surrounds the training itself."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from catalog.errors import EditmillError
from catalog.validated import Part, mapping, validated
from experts.diffusion.model.bases import base_named
from experts.diffusion.serving import ServingSettings
from experts.diffusion.specs import expert_named
from experts.diffusion.training.comparison import EvaluationSettings
from experts.diffusion.training.data.selection import RecordSelection
from experts.diffusion.training.recipe import TrainingRecipe
from experts.diffusion.training.run import InitFrom, TrainingRun, open_run


class Settings(Part):
    """The keys beside the recipe's."""

    base: Path | None = (
        None  # folder of the base checkpoint, where its environment variable is not set
    )
    init_from: InitFrom = "base"
    data: RecordSelection = RecordSelection()
    evaluate: EvaluationSettings = EvaluationSettings()
    serve: ServingSettings = ServingSettings()


class _File(TrainingRecipe, Settings):
    """All keys of the file: what is wrong with one is told beside all that there are."""


def load(name: str, path: Path | None = None) -> tuple[TrainingRecipe, Settings]:
    """The settings of an expert's or editor's training: those of the file, or the shipped ones.

    Raises EditmillError, in one line that names the file, the key and what it should be.
    """
    expert_named(name)
    shipped = files("experts.diffusion.training") / "recipes" / f"{name}.yaml"
    where = str(path or f"{name}.yaml")
    try:
        text = (path or shipped).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EditmillError(f"{where}: can't be read ({error}); check the path") from None
    values = mapping(text, where, "a training recipe is a mapping of keys, `stages` first")
    validated(_File, {"expert": name} | values, where)
    others = {key: values.pop(key) for key in Settings.model_fields if key in values}
    recipe = validated(TrainingRecipe, {"expert": name} | values, where)
    if recipe.expert != name:
        raise EditmillError(
            f"{where}: is for the {recipe.expert}, not for the {name}; name its own"
        )
    for k, stage in enumerate(recipe.stages):
        if stage.frames % 8 != 1:
            raise EditmillError(
                f"{where}: `stages.{k}.frames`: {stage.frames}; CogVideoX's autoencoder decodes to "
                "8 n + 1 frames only: use 33, or 9, 17, 25, 49 …"
            )
    return recipe, validated(Settings, others, where)


def opened(
    root: str | Path,
    name: str,
    ref: str = "main",
    config: Path | None = None,
    base: Path | None = None,
    min_gain: float | None = None,
) -> TrainingRun:
    """The training of an expert or editor on the catalog at `root`; see `open_run`.

    config: the YAML file; None takes the paper's settings. base: overrides the folder of the
    environment variable, which overrides the file's. min_gain: overrides `evaluate.min_gain`.
    """
    recipe, settings = load(name, config)
    evaluation = settings.evaluate
    if min_gain is not None:
        evaluation = evaluation.model_copy(update={"min_gain": min_gain})
    return open_run(
        root,
        recipe,
        ref=ref,
        base=Path(base_named(recipe.spec.base, settings.base, base)),
        data=settings.data,
        evaluation=evaluation,
        serving=settings.serve,
        init_from=settings.init_from,
    )
