"""Encoding prompts by CogVideoX's T5 encoder."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer, T5EncoderModel

from catalog.errors import EditmillError

LENGTH = 226
"""Tokens of a prompt, which is truncated or padded (CogVideoX)."""


class TextEncoder:
    """The T5 encoder and tokenizer of a CogVideoX checkpoint on disk."""

    def __init__(
        self, folder: str | Path, dtype: torch.dtype = torch.bfloat16, length: int = LENGTH
    ) -> None:
        path = Path(folder)
        for part in ("tokenizer", "text_encoder"):
            if not (path / part).is_dir():
                raise EditmillError(f"{path / part}: not there; name the whole checkpoint's folder")
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(
                path / "tokenizer", local_files_only=True, trust_remote_code=False
            )
            self._model = T5EncoderModel.from_pretrained(
                path / "text_encoder",
                dtype=dtype,
                local_files_only=True,
                use_safetensors=True,  # a pickle may run code
            ).eval()
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EditmillError(
                f"{path}: the text encoder can't be read ({reason}); copy the folder again"
            ) from None
        self._length = length

    def to(self, device: torch.device | str) -> TextEncoder:
        """Itself, moved."""
        self._model.to(device)
        return self

    @torch.no_grad()
    def encode(self, prompts: list[str]) -> Tensor:
        """Embeddings [B, length, width] of the prompts; longer ones are truncated."""
        tokens = self._tokenizer(
            prompts,
            padding="max_length",
            max_length=self._length,
            truncation=True,
            return_tensors="pt",
        )
        embeddings: Tensor = self._model(tokens.input_ids.to(self._model.device))[0]
        return embeddings
