"""The folders of the CogVideoX checkpoints that experts are built on."""

from __future__ import annotations

import os
from pathlib import Path

from catalog.errors import EditmillError
from experts.diffusion.specs import Base

BASES: dict[Base, str] = {
    "CogVideoX-2b": "EDITMILL_COGVIDEOX_2B",
    "CogVideoX-5b": "EDITMILL_COGVIDEOX_5B",
    "CogVideoX-5b-I2V": "EDITMILL_COGVIDEOX_5B_I2V",
}
"""The environment variable that names the folder of each base checkpoint."""


def base_folder(base: Base, default: str | Path | None, given: Path | None = None) -> Path:
    """The folder of a base checkpoint: `given`, else its environment variable's, else `default`.

    Raises EditmillError, saying what to set, where there is none.
    """
    variable = BASES[base]
    named = given or os.environ.get(variable) or default
    if not named:
        raise EditmillError(
            f"no base checkpoint: set {variable} (or `base` in the training's YAML file) to the "
            f"folder of {base} in diffusers' layout"
        )
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise EditmillError(f"{folder}: not there; set {variable} to the folder of {base}")
    return folder.resolve()
