"""Models of transformers, opened from a folder's safetensors and from nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def pretrained(kind: Any, folder: Path, **options: Any) -> Any:
    """`kind.from_pretrained` on a folder. Runs no code of the folder's and asks no hub.

    Raises ValueError where the folder lacks weights of the model: transformers would draw those at
    random, and say so in a log alone.
    """
    model, loading = kind.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
        **options,
    )
    if missing := sorted(loading["missing_keys"]):
        raise ValueError(f"{len(missing)} of its weights are missing, as {missing[0]}")
    return model
