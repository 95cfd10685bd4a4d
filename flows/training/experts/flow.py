"""A Prefect flow per expert and editor: encode, train, evaluate, register.

    prefect flow serve flows/training/experts/flow.py:train_remover

Over several GPUs (`accelerate launch -m flows.cli train expert …`) the first process runs the flow
and the others take part in its training step.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from prefect import Flow, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from catalog.errors import EditmillError
from experts.diffusion.specs import expert_named
from experts.diffusion.training.run import TrainingResult, TrainingRun
from flows.runtime.parameters import Described
from flows.training.experts.settings import opened

CatalogUri: TypeAlias = Annotated[
    str,
    Described(
        "The catalog (a folder, s3://… or lakefs://…) to train on, and to register the trained "
        "version in."
    ),
]
Ref: TypeAlias = Annotated[
    str, Described("Release to read (v1, v2, …), or `main` for the newest state of the catalog.")
]
Config: TypeAlias = Annotated[
    Path | None, Described("YAML file of settings (docs/train.md); none takes the paper's values.")
]
BaseFolder: TypeAlias = Annotated[
    Path | None,
    Described(
        "Folder of the base checkpoint in diffusers' layout; none takes the environment variable's "
        "(EDITMILL_COGVIDEOX_2B, _5B or _5B_I2V)."
    ),
]


@flow(name="train-remover", flow_run_name="train remover", persist_result=False)
def train_remover(
    catalog: CatalogUri, ref: Ref = "main", config: Config = None, base: BaseFolder = None
) -> TrainingResult:
    """Train the object remover (CogVideoX-2b) on a catalog's clips and masks."""
    return _train("remover", catalog, ref, config, base)


@flow(name="train-inpainter", flow_run_name="train inpainter", persist_result=False)
def train_inpainter(
    catalog: CatalogUri, ref: Ref = "main", config: Config = None, base: BaseFolder = None
) -> TrainingResult:
    """Train the inpainter for object swaps (CogVideoX-5b-I2V) on a catalog's clips and masks."""
    return _train("inpainter", catalog, ref, config, base)


@flow(name="train-local_stylizer", flow_run_name="train local_stylizer", persist_result=False)
def train_local_stylizer(
    catalog: CatalogUri, ref: Ref = "main", config: Config = None, base: BaseFolder = None
) -> TrainingResult:
    """Train the stylizer of single objects (CogVideoX-2b) on a catalog's clips with masks."""
    return _train("local_stylizer", catalog, ref, config, base)


@flow(name="train-global_stylizer", flow_run_name="train global_stylizer", persist_result=False)
def train_global_stylizer(
    catalog: CatalogUri, ref: Ref = "main", config: Config = None, base: BaseFolder = None
) -> TrainingResult:
    """Train the stylizer of whole frames (CogVideoX-2b) on a catalog's captioned clips."""
    return _train("global_stylizer", catalog, ref, config, base)


@flow(name="train-senorita_editor", flow_run_name="train senorita_editor", persist_result=False)
def train_senorita_editor(
    catalog: CatalogUri, ref: Ref = "main", config: Config = None, base: BaseFolder = None
) -> TrainingResult:
    """Train Señorita-2M's editor (first frame, control branch) on a catalog's kept pairs."""
    return _train("senorita_editor", catalog, ref, config, base)


@flow(
    name="train-senorita_control_edit",
    flow_run_name="train senorita_control_edit",
    persist_result=False,
)
def train_senorita_control_edit(
    catalog: CatalogUri, ref: Ref = "main", config: Config = None, base: BaseFolder = None
) -> TrainingResult:
    """Train Señorita-2M's Control-Edit (control branch) on a catalog's kept pairs."""
    return _train("senorita_control_edit", catalog, ref, config, base)


@flow(
    name="train-senorita_ff_ins_edit",
    flow_run_name="train senorita_ff_ins_edit",
    persist_result=False,
)
def train_senorita_ff_ins_edit(
    catalog: CatalogUri, ref: Ref = "main", config: Config = None, base: BaseFolder = None
) -> TrainingResult:
    """Train Señorita-2M's FF-Ins-Edit (first frame, concatenated source) on kept pairs."""
    return _train("senorita_ff_ins_edit", catalog, ref, config, base)


@flow(name="train-senorita_ins_edit", flow_run_name="train senorita_ins_edit", persist_result=False)
def train_senorita_ins_edit(
    catalog: CatalogUri, ref: Ref = "main", config: Config = None, base: BaseFolder = None
) -> TrainingResult:
    """Train Señorita-2M's Ins-Edit (concatenated source) on a catalog's kept pairs."""
    return _train("senorita_ins_edit", catalog, ref, config, base)


@flow(name="train-vivid_editor", flow_run_name="train vivid_editor", persist_result=False)
def train_vivid_editor(
    catalog: CatalogUri, ref: Ref = "main", config: Config = None, base: BaseFolder = None
) -> TrainingResult:
    """Train VIVID-10M's editor (CogVideoX-5b, LoRA) on a catalog's local-editing records."""
    return _train("vivid_editor", catalog, ref, config, base)


FLOWS: dict[str, Flow[..., TrainingResult]] = {
    "remover": train_remover,
    "inpainter": train_inpainter,
    "local_stylizer": train_local_stylizer,
    "global_stylizer": train_global_stylizer,
    "senorita_editor": train_senorita_editor,
    "senorita_control_edit": train_senorita_control_edit,
    "senorita_ff_ins_edit": train_senorita_ff_ins_edit,
    "senorita_ins_edit": train_senorita_ins_edit,
    "vivid_editor": train_vivid_editor,
}
"""By expert or editor; `experts.diffusion.specs.TRAINABLE` has the same names."""


def flow_of(name: str) -> Flow[..., TrainingResult]:
    """The flow that trains the expert or editor; EditmillError naming the known ones if none."""
    return FLOWS[expert_named(name).name]


def _train(
    expert: str, catalog: str, ref: str, config: Path | None, base: Path | None
) -> TrainingResult:
    return carry_out(opened(catalog, expert, ref, config, base))


def carry_out(run: TrainingRun) -> TrainingResult:
    """The steps of a training, within a flow.

    One that has ended already gives its result again; an interrupted one is resumed.
    """
    try:  # here, since it takes seconds, and a machine that only deploys has no use for it
        from experts.diffusion.training import steps
    except ImportError as error:
        raise EditmillError(
            f"training needs {error.name}; in the checkout, pip install -e '.[gpu]'"
        ) from None
    if ended := run.result():
        return ended
    with run.exclusive():
        _task("encode", steps.encode)(run, _report)
        candidate = _task("train", steps.train)(run, _report)
        comparison = _task("evaluate", steps.evaluate)(run, candidate, _report)
        result: TrainingResult = _task("register", steps.register)(run, candidate, comparison)
        return result


def _task(name: str, step: Callable[..., Any]) -> Any:
    # A step's results are in the training's folder; Prefect does not need to persist them.
    return task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)(step)


def _report(line: str) -> None:
    """Progress: in the run's log, or on stderr where Prefect's log is off (`editmill train`)."""
    logger = get_run_logger()
    if logger.isEnabledFor(logging.INFO):
        logger.info(line)
    else:
        print(line, file=sys.stderr, flush=True)
