"""Cached examples, put into batches of one size.

Which examples a step sees is a function of the seed and the step alone: a training that is
stopped and goes on sees what it would have seen.
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
from experts.diffusion.training.data.prepare import INDEX, Example
from experts.diffusion.training.recipe import Mix, TrainingRecipe

Item = dict[str, Tensor]
"""`target`, `prompt`, and the conditions the expert has."""

Pool = tuple[list[int], list[int]]
"""Examples of one size in which something is drawn, and in which it is deleted."""

DELETION = "deletion"


class Examples(Dataset[Item]):
    """The examples of a folder that `prepare` filled.

    Raises EditmillError where there are none, or none for the expert.
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
            Example(**row | {"latents": tuple(row["latents"])}) for row in index["examples"]
        ]
        self._empty: str = index["empty"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Item:
        row = self.rows[index]
        tensors = {k: v.float() for k, v in self._read("latents", row.key).items()}
        tensors["prompt"] = self._read("prompts", row.prompt)["embedding"].float()
        if row.beside:
            tensors["beside"] = self._read("prompts", row.beside)["embedding"].float()
        return tensors

    def empty_prompt(self) -> Tensor:
        """The embedding of no prompt [L, text width]."""
        return self._read("prompts", self._empty)["embedding"].float()

    def _read(self, kind: str, key: str) -> Item:
        path = self._folder / kind / f"{key}.safetensors"
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise EditmillError(f"{path}: can't be read ({error}); prepare again") from None


class Batches:
    """Which examples each step of one stage takes: batches of one latent size each.

    An epoch shuffles every size's examples, fills its last batch from their beginning, and
    shuffles the batches.
    """

    def __init__(self, rows: list[Example], stage: int, batch_size: int, seed: int) -> None:
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
    """The same for a recipe's `mix`, each step drawn for itself: first images or videos, then a
    size of those, then for each example of the batch whether something is drawn or deleted. Where
    a size has examples of one task alone, those are taken.

    Raises EditmillError where one kind is wanted and there is none.
    """

    def __init__(
        self, rows: list[Example], stage: int, batch_size: int, seed: int, mix: Mix
    ) -> None:
        self._batch_size, self._seed, self._stage = batch_size, seed, stage
        self._images = mix.images_per_video / (1 + mix.images_per_video)
        self._draws = mix.draws_per_deletion / (1 + mix.draws_per_deletion)
        mine = [(index, row) for index, row in enumerate(rows) if row.stage == stage]
        self.per_epoch = -(-len(mine) // batch_size)
        self._pools: dict[bool, list[Pool]] = {True: [], False: []}
        for size in sorted({row.latents for _, row in mine}):
            drawn: list[int] = []
            deleted: list[int] = []
            for index, row in mine:
                if row.latents == size:
                    (deleted if row.kind.startswith(DELETION) else drawn).append(index)
            self._pools[size[0] == 1].append((drawn, deleted))
        for image, share, kind in ((True, self._images, "image"), (False, 1, "video")):
            if share and not self._pools[image]:
                raise EditmillError(
                    f"no {kind} example for stage {stage + 1}; build records of that kind, large "
                    f"and long enough{', or set mix.images_per_video: 0' if image else ''}"
                )

    def at(self, step: int) -> list[int]:
        """The examples of a step, counted within the stage; the whole batch, of all devices."""
        rng = np.random.default_rng([self._seed, self._stage, step, 2])
        pools = self._pools[bool(rng.random() < self._images)]
        sizes = np.array([len(drawn) + len(deleted) for drawn, deleted in pools])
        drawn, deleted = pools[int(rng.choice(len(pools), p=sizes / sizes.sum()))]
        taken = []
        for _ in range(self._batch_size):
            wanted, other = (drawn, deleted) if rng.random() < self._draws else (deleted, drawn)
            pool = wanted or other
            taken.append(pool[int(rng.integers(len(pool)))])
        return taken


def batches_of(recipe: TrainingRecipe, rows: list[Example], stage: int) -> Batches | MixedBatches:
    """The batches of one of the recipe's stages."""
    size = recipe.stages[stage].batch_size
    if recipe.mix is None:
        return Batches(rows, stage, size, recipe.seed)
    return MixedBatches(rows, stage, size, recipe.seed, recipe.mix)


def counted(recipe: TrainingRecipe, rows: list[Example]) -> TrainingRecipe:
    """The recipe with each stage's epochs as steps, now that its examples are known."""
    stages = []
    for number, stage in enumerate(recipe.stages):
        if stage.epochs:
            once = batches_of(recipe, rows, number).per_epoch
            stage = stage.model_copy(update={"steps": stage.epochs * once, "epochs": 0})
        stages.append(stage)
    return recipe.model_copy(update={"stages": tuple(stages)})
