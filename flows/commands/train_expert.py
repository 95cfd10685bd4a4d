"""`editmill train expert`: check, run the flow, and print the result."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
from pathlib import Path

from experts.diffusion.specs import EXPERTS
from experts.diffusion.training.run import TrainingResult
from flows.runtime.orchestration.server import OrchestrationServer
from flows.runtime.stopping import signals
from flows.training.experts.settings import opened


def main(
    name: str,
    root: str,
    *,
    ref: str,
    config: Path | None,
    base: Path | None,
    encode_only: bool,
    server: str | None,
    as_json: bool,
) -> None:
    """Runs the command; EditmillError passes through."""
    run = opened(root, name, ref, config, base)
    result = run.result()
    if result is not None:
        _show(result, as_json, "Nothing was left to do: this training has ended.")
        return
    # Imported late: this takes half a minute on a busy machine, and a training that has ended, or
    # lacks its records or its base, needs none of it.
    from transformers.utils import logging

    from experts.diffusion.training import steps

    logging.disable_progress_bar()
    if int(os.environ.get("RANK", "0")) > 0:  # the first process of several runs the flow
        steps.train(run, lambda line: None)
        return
    if encode_only:
        with run.exclusive():
            steps.encode(run, _report)
        return
    reports_to = OrchestrationServer(server)
    from flows.runtime.orchestration.client import using
    from flows.training.experts.flow import flow_of

    connection = reports_to.connect(threading.Event(), _report)
    with using(connection), signals.handled(signals.interrupt):
        try:
            result = flow_of(name)(root, ref, config, base)
        except Exception:
            if connection.lost:
                raise connection.lost from None
            raise
    _show(result, as_json, "")


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(result: TrainingResult, as_json: bool, headline: str) -> None:
    if as_json:
        print(json.dumps(dataclasses.asdict(result)))
        return
    print("\n".join(describe(result) + ([headline] if headline else [])))


def describe(result: TrainingResult) -> list[str]:
    """The outcome in a few lines for a person."""
    found = result.metrics
    lines = [f"{result.model_id}: {result.path}"]
    if "loss" in found:
        lines.append(
            f"held-out loss {found['loss']:.4f}, {found['rival']}: {found['rival_loss']:.4f} "
            f"({found['examples']} examples of {found['held_out_sources']} sources)"
        )
    if found.get("psnr") is not None:
        lines.append(
            f"PSNR of {found['sampled']} sampled examples {found['psnr']:.2f} dB, "
            f"{found['rival']}: {found['rival_psnr']:.2f} dB"
        )
    which = "latest" if result.promoted else result.version
    if result.expert in EXPERTS:
        use = f"a recipe gets it by `experts: {{{result.expert}: cogvideox@{which}}}`"
    else:
        use = f"edit with it by `editmill edit {result.expert}@{which} in.mp4 --prompt …`"
    lines.append(f"{'promoted' if result.promoted else f'not promoted ({result.reason})'}; {use}")
    return lines
