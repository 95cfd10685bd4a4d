"""The training loop of every expert.

A step is a function of the weights, the seed and its number: which examples, which noise levels,
whose prompt is left out and every sample of noise follow from the last two (`examples.batches_of`,
`chance.Chance`), whatever the number of devices. So a training that stopped goes on exactly.

Weights stay float32 and are computed with in bfloat16; the optimizer never sees a loss or gradient
that is not finite.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import nn
from torch.utils.data import DataLoader

from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.storage.files import write_bytes
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.schedule import Scheduler
from experts.diffusion.training import checkpoints as state
from experts.diffusion.training.data.examples import Examples, Item, batches_of, counted
from experts.diffusion.training.data.randomness import Chance
from experts.diffusion.training.export import export
from experts.diffusion.training.loss import loss_of
from experts.diffusion.training.recipe import TrainingRecipe
from experts.diffusion.training.sharding import accelerator_for

LOSSES = "losses.jsonl"


@dataclass(frozen=True, slots=True)
class Step:
    """What a step tells: its number from 0, loss, gradient norm before clipping, learning rate."""

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
    on_step: Callable[[Step], None] = lambda step: None,
    stop_after: int | None = None,
) -> Path:
    """Train `editor`, as frozen as it comes, and return the folder of the averaged expert.

    Goes on from the newest checkpoint in `out/checkpoints` if there is one. `stop_after` ends the
    run after that many steps in all, with a checkpoint; the recipe's stages stay as they are.
    Raises EditmillError when the loss is no number or memory runs out; the last good state is kept.
    """
    folder = Path(out)
    recipe = counted(recipe, examples.rows)
    accelerator = accelerator_for(recipe)
    if recipe.gradient_checkpointing:
        editor.enable_gradient_checkpointing()
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
    ema = EMAModel(trained, decay=recipe.ema)
    identity = digest(
        recipe.model_dump(mode="json", exclude={"save_every", "keep", "workers"}),
        [row.key for row in examples.rows],
    )
    checkpoints = folder / "checkpoints"
    begin = state.resume(accelerator, ema, checkpoints, identity)
    if accelerator.is_main_process:
        _forget(folder / LOSSES, begin)
    end = recipe.steps if stop_after is None else min(stop_after, recipe.steps)
    empty = examples.empty_prompt()

    def save(step: int) -> Path:
        return state.save(accelerator, ema, checkpoints, step, identity, recipe.keep)

    step = begin
    saved = step
    try:
        feed = _feed(recipe, examples, accelerator, begin, end)
        for step in range(begin, end):
            number, within = recipe.stage_at(step)
            stage = recipe.stages[number]
            rate = stage.learning_rate * min(1.0, (within + 1) / (stage.warmup_steps + 1))
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
            told = Step(step, loss, norm, rate)
            if accelerator.is_main_process:
                _log(folder / LOSSES, told)
            on_step(told)
            if (step + 1) % recipe.save_every == 0 or step + 1 == end:
                save(step + 1)
                saved = step + 1
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(recipe, step, saved, checkpoints) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # the CPU's allocator has no class for it
            raise
        raise _out_of_memory(recipe, step, saved, checkpoints) from error
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
            first = (micro * devices + rank) * stage.per_device
            parts.append(whole[first : first + stage.per_device])
    loader: DataLoader[Item] = DataLoader(
        examples, batch_sampler=parts, num_workers=recipe.workers, pin_memory=_cuda(accelerator)
    )
    for batch in loader:
        yield {k: v.to(accelerator.device, non_blocking=True) for k, v in batch.items()}


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
    """The gradients of a step, clipped; its loss over all devices, and the norm before clipping."""
    stage = recipe.stages[recipe.stage_at(step)[0]]
    devices, size = accelerator.num_processes, stage.per_device
    chance = Chance.at(recipe.seed, step, stage.batch_size, recipe.null_prompt)
    micros = stage.micro_batches(devices)
    total = torch.zeros((), device=accelerator.device)
    for micro in range(micros):
        first = (micro * devices + accelerator.process_index) * size
        # Only the last backward pass has gradients summed over the devices.
        with accelerator.no_sync(model) if micro + 1 < micros else nullcontext():
            with accelerator.autocast():
                loss = loss_of(
                    model,
                    recipe.spec,
                    schedule,
                    next(feed),
                    chance.part(first, first + size),
                    empty,
                )
            accelerator.backward(loss / micros)
        total += loss.detach() / micros
    norm = accelerator.clip_grad_norm_(trained, recipe.clip_norm)
    mean = accelerator.reduce(total, "mean")
    return float(mean), float(norm)


def _log(path: Path, told: Step) -> None:
    row = {"step": told.step, "loss": told.loss, "norm": told.norm, "lr": told.learning_rate}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _forget(path: Path, begin: int) -> None:
    """Drop the losses of steps that a run did after its last checkpoint, and that come again."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] < begin]
        write_bytes(path, "".join(kept).encode())


def _out_of_memory(
    recipe: TrainingRecipe, step: int, saved: int, checkpoints: Path
) -> EditmillError:
    number, _ = recipe.stage_at(min(step, recipe.steps - 1))
    stage = recipe.stages[number]
    where = f"stages[{number}]"
    if stage.per_device > 1:
        remedy = f"lower {where}.per_device ({stage.per_device}); the batch stays as it is"
    elif not recipe.gradient_checkpointing:
        remedy = "set gradient_checkpointing: true"
    elif recipe.fsdp is None:
        remedy = f"shard it over GPUs with fsdp, or lower {where}'s height and width"
    else:
        remedy = f"set fsdp.cpu_offload: true, use more GPUs, or lower {where}'s height and width"
    kept = f"the state of step {saved} is in {checkpoints}" if saved else "nothing was saved yet"
    return EditmillError(f"step {step + 1}: out of memory; {kept}; {remedy}")
