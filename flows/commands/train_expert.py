"""`editmill train expert`: check, run the flow, and say what came out."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from catalog.errors import EditmillError
from experts.diffusion.specs import EXPERTS
from experts.diffusion.training import steps
from experts.diffusion.training.run import Run, opened
from experts.diffusion.training.steps import Trained
from flows.runtime import signals
from flows.runtime.server import Server


def main(
    name: str,
    root: Path,
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
    ended = steps.done(run)
    if ended is not None:
        _show(ended, as_json, "Nothing was left to do: this training has ended.")
        return
    # Imported late: this takes seconds, and a training that has ended needs none of it.
    from transformers.utils import logging

    logging.disable_progress_bar()
    if int(os.environ.get("RANK", "0")) > 0:
        _take_part(run)
        return
    with _alone(run):
        if encode_only:
            steps.encode(run, steps.tell)
            return
        reports_to = Server(server)
        from flows.runtime.prefect_client import using
        from flows.training.experts import flow

        connection = reports_to.connect(threading.Event(), steps.tell)
        with using(connection), signals.handled(signals.interrupt):
            try:
                ended = flow.flow_of(name)(root, ref, config, base)
            except Exception:
                if connection.lost:
                    raise connection.lost from None
                raise
    assert ended is not None  # a flow that fails raises
    _show(ended, as_json, "")


def _take_part(run: Run) -> None:
    """What the processes besides the first do in a training over several GPUs."""
    from accelerate import PartialState

    PartialState().wait_for_everyone()
    steps.train(run, lambda line: None)


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    """Two processes must not write one training's checkpoints."""
    run.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(run.folder / "lock", timeout=0):
            yield
    except Timeout:
        raise EditmillError(
            f"{run.folder}: another process runs this training; wait for it or end it"
        ) from None


def _show(ended: Trained, as_json: bool, headline: str) -> None:
    if as_json:
        print(json.dumps(dataclasses.asdict(ended)))
        return
    print("\n".join(describe(ended) + ([headline] if headline else [])))


def describe(ended: Trained) -> list[str]:
    """The outcome in a few lines for a person."""
    found = ended.metrics
    lines = [f"{ended.model_id}: {ended.path}"]
    if "loss" in found:
        lines.append(
            f"held-out loss {found['loss']:.4f}, {found['rival']}: {found['rival_loss']:.4f} "
            f"({found['examples']} examples of {found['held_out_sources']} sources)"
        )
    if found.get("psnr") is not None:
        lines.append(
            f"PSNR of {found['sampled']} painted examples {found['psnr']:.2f} dB, "
            f"{found['rival']}: {found['rival_psnr']:.2f} dB"
        )
    which = "latest" if ended.promoted else ended.version
    if ended.expert in EXPERTS:
        use = f"a recipe gets it by `experts: {{{ended.expert}: cogvideox@{which}}}`"
    else:
        use = f"edit with it by `editmill edit {ended.expert}@{which} in.mp4 --prompt …`"
    lines.append(f"{'promoted' if ended.promoted else f'not promoted ({ended.reason})'}; {use}")
    return lines
