"""Retraining as a Prefect flow: learn from what is new, and promote only what is better.

prefect flow serve flows/training/retrain.py:retrain --name weekly --cron "0 3 * * 0"
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

import catalog
from catalog.errors import EditmillError
from catalog.releases import Catalog
from catalog.storage.location import Versioned
from flows.recipe import Recipe, load
from flows.runtime.orchestration.run_log import log
from flows.runtime.parameters import Described
from flows.training.experts import settings
from flows.training.experts.retraining import retrained_expert
from flows.training.filters.candidates import CANDIDATES, FilterSettings
from flows.training.filters.encoders import of_release
from flows.training.filters.retraining import retrained_filter
from flows.training.news import newest_release
from flows.training.retraining import Retraining

Model: TypeAlias = Annotated[
    Literal[
        "quality",
        "alignment",
        "remover",
        "inpainter",
        "local_stylizer",
        "global_stylizer",
        "senorita_editor",
        "senorita_control_edit",
        "senorita_ff_ins_edit",
        "senorita_ins_edit",
        "vivid_editor",
    ],
    Described(
        "What is trained: the quality or the alignment filter, a CogVideoX expert or editor."
    ),
]
Out: TypeAlias = Annotated[
    str,
    Described("The catalog (a folder, s3://… or lakefs://…) to learn from and to register in."),
]
RecipeName: TypeAlias = Annotated[
    str | None,
    Described(
        "A recipe as the build has it, a shipped name or a YAML file: the newest release of it is "
        "learnt from, and a filter is trained for its encoder. None: the newest release of all, "
        "and the encoder that it was judged with."
    ),
]
LeastNew: TypeAlias = Annotated[
    int,
    Described(
        "With fewer new records than this since the last training nothing is trained. Counted are "
        "the clips, pairs or local edits that an expert learns from; for a filter, sources; the "
        "quality filter is also trained for so many new labels of pairs, whatever the sources."
    ),
]
Margin: TypeAlias = Annotated[
    float | None,
    Described(
        "How much better a version must be to be promoted. Of an expert, the share by which its "
        "held-out loss is lower (None: its settings' evaluate.min_gain, 0); of a filter, the "
        "difference of the AUC on held-out sources (None: .005, since another seed moves it .004)."
    ),
]
Config: TypeAlias = Annotated[
    Path | None, Described("YAML file of the training's settings (docs/train.md); none: defaults.")
]
BaseFolder: TypeAlias = Annotated[
    Path | None,
    Described("Folder of an expert's base checkpoint; none takes the environment variable's."),
]


def checked(
    out: str, expert: str, recipe: str | None, config: Path | None, margin: float | None
) -> tuple[Catalog, Recipe | None]:
    """The catalog, and the recipe if one is named. Raises EditmillError where one of them, or the
    settings' file, cannot be read, or the margin means nothing: told before a server is started."""
    if margin is not None and not (math.isfinite(margin) and margin >= 0):
        raise EditmillError(f"a margin of {margin:g} means nothing; give a number from 0 on")
    dataset = catalog.open(out)
    asked = None if recipe is None else load(recipe)
    if expert in CANDIDATES:
        FilterSettings.load(config)
    else:
        settings.load(expert, config)
    return dataset, asked


@flow(name="retrain", flow_run_name="retrain {expert} in {out}", persist_result=False)
def retrain(
    out: Out,
    expert: Model,
    recipe: RecipeName = None,
    least_new: LeastNew = 100,
    margin: Margin = None,
    config: Config = None,
    base: BaseFolder = None,
) -> State[dict[str, Any]]:
    """Train an expert or a filter again on a catalog's newest release, and promote the new version
    if it is better than the present one on held-out footage.

    Otherwise it is kept, unpromoted, with its metrics. The next build of a recipe that says
    `cogvideox@latest`, or `latest` for a filter's model, uses the promoted one.
    """
    dataset, asked = checked(out, expert, recipe, config, margin)
    name = None if asked is None else asked.name
    release = newest_release(dataset, name)
    if release is None:
        of_recipe = "" if name is None else f" of {name}"
        return _ended(dataset, Retraining(expert, f"{out} has no release{of_recipe}"))
    if expert in CANDIDATES:
        encode = of_release(release) if asked is None else asked.models.encode.model_dump()
        found = retrained_filter(
            dataset, release, expert, FilterSettings.load(config), least_new, margin, encode
        )
    else:
        found = retrained_expert(dataset, release, expert, least_new, margin, config, base)
    return _ended(dataset, found)


def _ended(dataset: Catalog, found: Retraining) -> State[dict[str, Any]]:
    line = found.line()
    log(line)  # the command prints it
    if found.model_id and isinstance(dataset.storage, Versioned):
        dataset.storage.commit(line, {})
    return Completed(message=line, data=dataclasses.asdict(found))
