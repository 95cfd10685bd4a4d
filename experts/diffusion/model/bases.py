"""The CogVideoX checkpoints that experts are built on: which they are, and where they lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import EditmillError
from experts.checkpoint import Kind
from experts.diffusion.specs import Base
from experts.providers.requirements import State, state_of


@dataclass(frozen=True, slots=True)
class BaseCheckpoint:
    """A base as it is published: the environment `variable` that names another place of it, its
    `repo` and `commit` on the hub, and the `size` of its weights in bytes."""

    variable: str
    repo: str
    commit: str
    size: int

    @property
    def named(self) -> str:
        """As a checkpoint is named."""
        return f"{self.repo}@{self.commit}"

    @property
    def kind(self) -> Kind:
        """Which of its files are fetched."""
        return Kind(
            what=self.repo.rpartition("/")[2],
            files=(
                *("model_index.json", "scheduler/*.json", "tokenizer/*.json", "tokenizer/*.model"),
                *("text_encoder/*.json", "text_encoder/*.safetensors"),
                *("transformer/*.json", "transformer/*.safetensors"),
                *("vae/*.json", "vae/*.safetensors"),
            ),
            option=self.variable,
            example=self.repo,
            library="diffusers",
            package="diffusers",
            extra="gpu",
        )

    def is_own(self, named: str) -> bool:
        """Whether it is of this repository."""
        return named.partition("@")[0] == self.repo

    def state(self, named: str) -> tuple[State, str]:
        """Of a checkpoint that `base_named` gave, and why it is unusable (empty if it is not)."""
        return ("here", "") if Path(named).is_dir() else state_of(self.kind, named)


# Commits: as the paths of the hub's cache in public training scripts name them (2b, 5b), and as
# public container files pin it (5b-I2V). Sizes: parameters × 2 bytes, of the transformer (1.69,
# 5.57 and 5.58 billion), T5 v1.1 XXL's encoder (4.76 billion) and the autoencoder (.22 billion).
BASES: dict[Base, BaseCheckpoint] = {
    "CogVideoX-2b": BaseCheckpoint(
        "EDITMILL_COGVIDEOX_2B",
        "zai-org/CogVideoX-2b",
        "1137dacfc2c9c012bed6a0793f4ecf2ca8e7ba01",
        13_300_000_000,
    ),
    "CogVideoX-5b": BaseCheckpoint(
        "EDITMILL_COGVIDEOX_5B",
        "zai-org/CogVideoX-5b",
        "8d6ea3f817438460b25595a120f109b88d5fdfad",
        21_100_000_000,
    ),
    "CogVideoX-5b-I2V": BaseCheckpoint(
        "EDITMILL_COGVIDEOX_5B_I2V",
        "zai-org/CogVideoX-5b-I2V",
        "a6f0f4858a8395e7429d82493864ce92bf73af11",
        21_100_000_000,
    ),
}


def base_named(base: Base, default: str | Path | None = None, given: Path | None = None) -> str:
    """Where a base checkpoint lies: the folder or `owner/name@<commit>` that is `given`, else its
    environment variable's, else `default`, else the commit of the hub that it was published as.

    Raises EditmillError where what is named is neither a folder here nor a commit of the hub.
    """
    known = BASES[base]
    named = given or os.environ.get(known.variable) or default or known.named
    folder = Path(named).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    if known.kind.is_commit(named):
        return str(named)
    raise EditmillError(
        f"{folder}: not there; set {known.variable} to the folder of {base}, or name none: "
        f"{known.named} is fetched then"
    )


def base_folder(base: Base, named: str) -> Path:
    """The folder of a base checkpoint that `base_named` gave, fetched first where it is on the hub.

    Raises EditmillError, one line, where it cannot be had.
    """
    folder = Path(named)
    return folder if folder.is_dir() else BASES[base].kind.folder(named)
