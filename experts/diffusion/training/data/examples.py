"""Cached examples, in batches of one size.

The examples of a step are a function of the seed and the step alone, so that a resumed training
sees what the undisturbed one would have seen.
"""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.utils.data import Dataset

from catalog.errors import EditmillError
from experts.diffusion.training.data.prepare import INDEX, TrainingExample
from experts.diffusion.training.recipe import Mix, TrainingRecipe

Item = dict[str, Tensor]
"""`target`, `prompt`, and the conditions of the expert."""

Pool = tuple[list[int], list[int]]
"""Examples of one size: additions and modifications, and deletions."""

DELETION = "deletion"


class Examples(Dataset[Item]):
    """The examples in a folder that `prepare` wrote.

    Raises EditmillError where there are none, or those of another expert.
    """

    def __init__(self, folder: str | Path, expert: str) -> None:
        self._folder = Path(folder)
        try:
            index = json.loads((self._folder / INDEX).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise EditmillError(f"{folder}: no prepared examples; prepare them first") from None
        if index["expert"] != expert:
            raise EditmillError(
                f"{folder}: holds examples for the {index['expert']}, not for the {expert}; "
                "prepare them anew"
            )
        self.rows = [
            TrainingExample(**row | {"latents": tuple(row["latents"])}) for row in index["examples"]
        ]
        self._empty: str = index["empty"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Item:
        row = self.rows[index]
        tensors = {k: v.float() for k, v in self._read("latents", row.key).items()}
        tensors["prompt"] = self._read("prompts", row.prompt)["embedding"].float()
        if row.negative_prompt:
            negative = self._read("prompts", row.negative_prompt)["embedding"]
            tensors["negative_prompt"] = negative.float()
        return tensors

    def empty_prompt(self) -> Tensor:
        """The embedding of the empty prompt [L, text width]."""
        return self._read("prompts", self._empty)["embedding"].float()

    def _read(self, kind: str, key: str) -> Item:
        path = self._folder / kind / f"{key}.safetensors"
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise EditmillError(f"{path}: can't be read ({error}); prepare again") from None


class SizeBuckets:
    """The examples of each step of a stage: batches of one latent size each.

    An epoch shuffles the examples of each size, fills the size's last batch with its first
    examples, and shuffles the batches.
    """

    def __init__(self, rows: list[TrainingExample], stage: int, batch_size: int, seed: int) -> None:
        buckets: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            if row.stage == stage:
                buckets[row.latents].append(index)
        if not buckets:
            raise EditmillError(f"no example for stage {stage + 1}; prepare clips large enough")
        self._buckets = [buckets[size] for size in sorted(buckets)]
        self._batch_size, self._seed, self._stage = batch_size, seed, stage
        self.per_epoch = sum(-(-len(bucket) // batch_size) for bucket in self._buckets)
        self._epoch = functools.lru_cache(maxsize=2)(self._shuffled)

    def at(self, step: int) -> list[int]:
        """The examples of a step, counted within the stage; the whole batch, of all devices."""
        epoch, place = divmod(step, self.per_epoch)
        return self._epoch(epoch)[place]

    def _shuffled(self, epoch: int) -> list[list[int]]:
        rng = np.random.default_rng([self._seed, self._stage, epoch])
        batches = []
        for bucket in self._buckets:
            order = rng.permutation(bucket)
            whole = -(-len(order) // self._batch_size) * self._batch_size
            batches += np.resize(order, whole).reshape(-1, self._batch_size).tolist()
        rng.shuffle(batches)
        return batches


class MixedBatches:
    """The same for a recipe's `mix`, sampled with replacement.

    A step samples images or videos, then one of their sizes, then for each example of the batch a
    deletion or another task. Where a size has no example of the task, it takes the other's.
    Raises EditmillError where images or videos have a share and there is none.
    """

    def __init__(
        self, rows: list[TrainingExample], stage: int, batch_size: int, seed: int, mix: Mix
    ) -> None:
        self._batch_size, self._seed, self._stage = batch_size, seed, stage
        self._image_share = mix.images_per_video / (1 + mix.images_per_video)
        self._edit_share = mix.edits_per_deletion / (1 + mix.edits_per_deletion)
        mine = [(index, row) for index, row in enumerate(rows) if row.stage == stage]
        self.per_epoch = -(-len(mine) // batch_size)
        self._pools: dict[bool, list[Pool]] = {True: [], False: []}
        for size in sorted({row.latents for _, row in mine}):
            edits: list[int] = []
            deletions: list[int] = []
            for index, row in mine:
                if row.latents == size:
                    (deletions if row.kind.startswith(DELETION) else edits).append(index)
            self._pools[size[0] == 1].append((edits, deletions))
        for image, share, kind in ((True, self._image_share, "image"), (False, 1, "video")):
            if share and not self._pools[image]:
                raise EditmillError(
                    f"no {kind} example for stage {stage + 1}; build records of that kind, large "
                    f"and long enough{', or set mix.images_per_video: 0' if image else ''}"
                )

    def at(self, step: int) -> list[int]:
        """The examples of a step, counted within the stage; the whole batch, of all devices."""
        rng = np.random.default_rng([self._seed, self._stage, step, 2])
        pools = self._pools[bool(rng.random() < self._image_share)]
        sizes = np.array([len(edits) + len(deletions) for edits, deletions in pools])
        edits, deletions = pools[int(rng.choice(len(pools), p=sizes / sizes.sum()))]
        batch = []
        for _ in range(self._batch_size):
            edit = rng.random() < self._edit_share
            wanted, other = (edits, deletions) if edit else (deletions, edits)
            pool = wanted or other
            batch.append(pool[int(rng.integers(len(pool)))])
        return batch


def batches_of(
    recipe: TrainingRecipe, rows: list[TrainingExample], stage: int
) -> SizeBuckets | MixedBatches:
    """The batches of one of the recipe's stages."""
    size = recipe.stages[stage].batch_size
    if recipe.mix is None:
        return SizeBuckets(rows, stage, size, recipe.seed)
    return MixedBatches(rows, stage, size, recipe.seed, recipe.mix)


def with_steps(recipe: TrainingRecipe, rows: list[TrainingExample]) -> TrainingRecipe:
    """The recipe with the epochs of each stage turned into steps."""
    stages = []
    for number, stage in enumerate(recipe.stages):
        if stage.epochs:
            once = batches_of(recipe, rows, number).per_epoch
            stage = stage.model_copy(update={"steps": stage.epochs * once, "epochs": 0})
        stages.append(stage)
    return recipe.model_copy(update={"stages": tuple(stages)})
