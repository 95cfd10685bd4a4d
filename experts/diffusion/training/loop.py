"""The training loop of every expert.

A step is a function of the weights, the seed and its number: its examples, timesteps, dropped
prompts and noise follow from the last two (`examples.batches_of`, `randomness.StepRandomness`),
whatever the number of devices. So a resumed training is the same as an undisturbed one.

Weights are float32, computed with in bfloat16 (autocast). A loss or gradient that is not finite
stops the training before it reaches the optimizer.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import nn
from torch._dynamo.exc import TorchDynamoException
from torch.utils.data import DataLoader

from catalog.errors import EditmillError, one_line
from catalog.keys import digest
from catalog.storage.files import write_bytes
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.schedule import Scheduler
from experts.diffusion.training import checkpoints
from experts.diffusion.training.data.examples import Examples, Item, batches_of, with_steps
from experts.diffusion.training.data.randomness import StepRandomness
from experts.diffusion.training.export import export
from experts.diffusion.training.loss import loss_of
from experts.diffusion.training.recipe import TrainingRecipe
from experts.diffusion.training.sharding import accelerator_for

LOSSES = "losses.jsonl"

LAST = -100
"""Priority of what a process does at its end, last of all: `multiprocessing`'s queues have -5."""

MOST_SAID = 300
"""Characters of torch's message."""


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """Of one step: its number from 0, loss, gradient norm before clipping, learning rate."""

    step: int
    loss: float
    norm: float
    learning_rate: float


def train(
    recipe: TrainingRecipe,
    editor: VideoEditor,
    schedule: Scheduler,
    examples: Examples,
    out: str | Path,
    on_step: Callable[[StepMetrics], None] = lambda step: None,
    stop_after: int | None = None,
) -> Path:
    """Train `editor`'s parameters that require gradients; returns the folder of the EMA weights.

    Resumes from the newest checkpoint in `out/checkpoints` if there is one. `stop_after` ends the
    run with a checkpoint after that many steps in all, counted from the training's start.
    Raises EditmillError where the loss is not finite or memory runs out, and where the blocks
    cannot be compiled; the last good state is kept.
    """
    folder = Path(out)
    recipe = with_steps(recipe, examples.rows)
    accelerator = accelerator_for(recipe)
    if recipe.gradient_checkpointing:
        editor.enable_gradient_checkpointing()
    if recipe.compile:
        editor.compile_repeated_blocks()
    model, optimizer = accelerator.prepare(
        editor.train(),
        torch.optim.AdamW(
            [p for p in editor.parameters() if p.requires_grad],
            lr=recipe.stages[0].learning_rate,
            betas=recipe.betas,
            weight_decay=recipe.weight_decay,
        ),
    )
    trained = [p for p in model.parameters() if p.requires_grad]
    ema = EMAModel(trained, decay=recipe.ema_decay)
    identity = digest(recipe.in_weights(), [row.key for row in examples.rows])
    saved_in = folder / "checkpoints"
    begin = checkpoints.resume(accelerator, ema, saved_in, identity)
    if accelerator.is_main_process:
        _truncate(folder / LOSSES, begin)
    end = recipe.steps if stop_after is None else min(stop_after, recipe.steps)
    empty = examples.empty_prompt()

    def save(step: int) -> Path:
        return checkpoints.save(accelerator, ema, saved_in, step, identity, recipe.keep_checkpoints)

    step = begin
    saved = step
    try:
        feed = _feed(recipe, examples, accelerator, begin, end)
        for step in range(begin, end):
            number, within = recipe.stage_at(step)
            stage = recipe.stages[number]
            rate = stage.learning_rate * min(1.0, (within + 1) / (stage.lr_warmup_steps + 1))
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss, norm = _backward(recipe, step, model, schedule, feed, empty, accelerator, trained)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                optimizer.zero_grad()
                kept = save(step)
                raise EditmillError(
                    f"step {step + 1}: loss {loss}, gradient norm {norm}; the state of step {step},"
                    f" the last good one, is kept in {kept}; lower learning_rate ({rate:g})"
                )
            optimizer.step()
            optimizer.zero_grad()
            ema.step(trained)
            metrics = StepMetrics(step, loss, norm, rate)
            if accelerator.is_main_process:
                _log(folder / LOSSES, metrics)
            on_step(metrics)
            if (step + 1) % recipe.checkpoint_every == 0 or step + 1 == end:
                save(step + 1)
                saved = step + 1
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(recipe, step, saved, saved_in) from error
    except TorchDynamoException as error:
        why = one_line(str(error).split("\n\n")[0])[:MOST_SAID]
        raise EditmillError(
            f"step {step + 1}: the blocks cannot be compiled here ({why}); install what is "
            "missing, or set compile: false"
        ) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # the CPU's allocator has no class for it
            raise
        raise _out_of_memory(recipe, step, saved, saved_in) from error
    return export(accelerator, model, ema, trained, schedule, recipe, folder / "expert", end)


def _feed(
    recipe: TrainingRecipe, examples: Examples, accelerator: Accelerator, begin: int, end: int
) -> Iterator[Item]:
    """This device's batches from step `begin` to `end`, one per forward pass."""
    rank, devices = accelerator.process_index, accelerator.num_processes
    batches = [batches_of(recipe, examples.rows, k) for k in range(len(recipe.stages))]
    parts: list[list[int]] = []
    for step in range(begin, end):
        number, within = recipe.stage_at(step)
        stage = recipe.stages[number]
        whole = batches[number].at(within)
        for micro in range(stage.micro_batches(devices)):
            first = (micro * devices + rank) * stage.per_device_batch_size
            parts.append(whole[first : first + stage.per_device_batch_size])
    loader: DataLoader[Item] = DataLoader(
        examples,
        batch_sampler=parts,
        num_workers=recipe.dataloader_workers,
        pin_memory=_cuda(accelerator),
        worker_init_fn=_end_without_hooks,
    )
    for batch in loader:
        yield {k: v.to(accelerator.device, non_blocking=True) for k, v in batch.items()}


def _end_without_hooks(_: int) -> None:
    """A worker, once done, ends at once: what a flow's process has registered for its own end fails
    in a fork, which has none of its threads, and torch would report that as a crash."""
    Finalize(None, os._exit, args=(0,), exitpriority=LAST)


def _cuda(accelerator: Accelerator) -> bool:
    return bool(accelerator.device.type == "cuda")


def _backward(
    recipe: TrainingRecipe,
    step: int,
    model: nn.Module,
    schedule: Scheduler,
    feed: Iterator[Item],
    empty: torch.Tensor,
    accelerator: Accelerator,
    trained: list[nn.Parameter],
) -> tuple[float, float]:
    """Accumulate a step's gradients; its loss over all devices and the norm before clipping."""
    stage = recipe.stages[recipe.stage_at(step)[0]]
    devices, size = accelerator.num_processes, stage.per_device_batch_size
    random = StepRandomness.at(recipe.seed, step, stage.batch_size, recipe.prompt_dropout)
    micros = stage.micro_batches(devices)
    total = torch.zeros((), device=accelerator.device)
    for micro in range(micros):
        first = (micro * devices + accelerator.process_index) * size
        # Gradients are summed over the devices in the last backward pass alone.
        with accelerator.no_sync(model) if micro + 1 < micros else nullcontext():
            with accelerator.autocast():
                loss = loss_of(
                    model,
                    recipe.spec,
                    schedule,
                    next(feed),
                    random.part(first, first + size),
                    empty,
                )
            accelerator.backward(loss / micros)
        total += loss.detach() / micros
    norm = accelerator.clip_grad_norm_(trained, recipe.max_grad_norm)
    mean = accelerator.reduce(total, "mean")
    return float(mean), float(norm)


def _log(path: Path, metrics: StepMetrics) -> None:
    row = dict(zip(("step", "loss", "norm", "lr"), dataclasses.astuple(metrics), strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _truncate(path: Path, begin: int) -> None:
    """Drop the losses of steps after the last checkpoint: they are computed again."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] < begin]
        write_bytes(path, "".join(kept).encode())


def _out_of_memory(recipe: TrainingRecipe, step: int, saved: int, saved_in: Path) -> EditmillError:
    number, _ = recipe.stage_at(min(step, recipe.steps - 1))
    stage = recipe.stages[number]
    where = f"stages[{number}]"
    if stage.per_device_batch_size > 1:
        size = f"{where}.per_device_batch_size ({stage.per_device_batch_size})"
        remedy = f"lower {size}; gradients are accumulated to the same batch"
    elif not recipe.gradient_checkpointing:
        remedy = "set gradient_checkpointing: true"
    elif recipe.fsdp is None:
        remedy = f"shard it over GPUs with fsdp, or lower {where}'s height and width"
    else:
        remedy = f"set fsdp.cpu_offload: true, use more GPUs, or lower {where}'s height and width"
    kept = f"the state of step {saved} is in {saved_in}" if saved else "nothing was saved yet"
    return EditmillError(f"step {step + 1}: out of memory; {kept}; {remedy}")
