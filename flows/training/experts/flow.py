"""A Prefect flow per expert and editor: encode, train, judge, register.

Several GPUs are several processes (`accelerate launch -m flows.cli train expert …`); the first one
runs the flow, the others only take part in the training.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from accelerate import PartialState
from prefect import Flow, flow, task
from prefect.cache_policies import NO_CACHE

from catalog.errors import EditmillError
from experts.diffusion.specs import TRAINABLE
from experts.diffusion.training import steps
from experts.diffusion.training.run import Run, opened
from experts.diffusion.training.steps import Trained


def run_steps(run: Run) -> Trained:
    """All steps, each a Prefect task; models pass between them as folders."""
    _task("encode", steps.encode)(run, steps.tell)
    PartialState().wait_for_everyone()
    candidate: Path = _task("train", steps.train)(run, steps.tell)
    verdict = _task("judge", steps.judge)(run, candidate, steps.tell)
    ended: Trained = _task("register", steps.register)(run, candidate, verdict)
    return ended


def _task(name: str, step: Callable[..., Any]) -> Any:
    # What a step made lies in its folder; Prefect need not remember it.
    return task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)(step)


def _flow(name: str) -> Flow[Any, Any]:
    def train_expert(
        root: Path, ref: str = "main", config: Path | None = None, base: Path | None = None
    ) -> Trained:
        run = opened(root, name, ref, config, base)
        return steps.done(run) or run_steps(run)

    return flow(
        name=f"train-{name}",
        flow_run_name=f"train {name}",
        persist_result=False,
        validate_parameters=False,
    )(train_expert)


FLOWS = {name: _flow(name) for name in TRAINABLE}
"""By expert; a deployment names one of them and the catalog's folder."""


def flow_of(name: str) -> Flow[Any, Any]:
    """The expert's flow; EditmillError naming the known ones if there is none."""
    try:
        return FLOWS[name]
    except KeyError:
        raise EditmillError(
            f"expert {name!r} is not known; use one of: {', '.join(FLOWS)}"
        ) from None
