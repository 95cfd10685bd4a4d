"""Sentence embeddings by MiniLM (Wang et al. 2020, all-MiniLM-L6-v2): a six-layer BERT encoder.

The module's names are those of the weight file. A sentence is the mean of its tokens' last states,
scaled to length one, as in Sentence-BERT (Reimers & Gurevych 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

_WIDTH, _LAYERS, _HEADS, _HIDDEN = 384, 6, 12, 1536
_VOCABULARY, _POSITIONS = 30522, 512
_EPSILON = 1e-12  # BERT's layer norm

MAX_TOKENS = 128
"""Longer texts are cut; a prompt has a few dozen tokens."""


class _Embeddings(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(_VOCABULARY, _WIDTH)
        self.position_embeddings = nn.Embedding(_POSITIONS, _WIDTH)
        self.token_type_embeddings = nn.Embedding(2, _WIDTH)
        self.LayerNorm = nn.LayerNorm(_WIDTH, eps=_EPSILON)

    def forward(self, tokens: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: tokens.shape[1]]
        x = self.word_embeddings(tokens) + positions + self.token_type_embeddings.weight[0]
        return self.LayerNorm(x)


class _AttentionOutput(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, _WIDTH)
        self.LayerNorm = nn.LayerNorm(_WIDTH, eps=_EPSILON)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + residual)


class _SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(_WIDTH, _WIDTH)
        self.key = nn.Linear(_WIDTH, _WIDTH)
        self.value = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        def heads(y: Tensor) -> Tensor:
            return y.unflatten(-1, (_HEADS, -1)).transpose(1, 2)

        y = F.scaled_dot_product_attention(
            heads(self.query(x)),
            heads(self.key(x)),
            heads(self.value(x)),
            attn_mask=present[:, None, None, :],
        )
        return y.transpose(1, 2).flatten(2)


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.self = _SelfAttention()
        self.output = _AttentionOutput(_WIDTH)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        return self.output(self.self(x, present), x)


class _Intermediate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(_WIDTH, _HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.dense(x))


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = _Attention()
        self.intermediate = _Intermediate()
        self.output = _AttentionOutput(_HIDDEN)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        x = self.attention(x, present)
        return self.output(self.intermediate(x), x)


class _Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer() for _ in range(_LAYERS))

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        for layer in self.layer:
            x = layer(x, present)
        return x


class _Bert(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embeddings = _Embeddings()
        self.encoder = _Stack()

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        return self.encoder(self.embeddings(tokens), present)


class MiniLM:
    """Texts → embeddings. Thread-safe: the weights are only read."""

    def __init__(self, weights: Path, tokenizer: Path) -> None:
        # The pooler belongs to BERT's next-sentence task; position_ids are 0, 1, 2 …
        kept = {
            name: value
            for name, value in load_file(weights).items()
            if not name.startswith("pooler.") and name != "embeddings.position_ids"
        }
        self._bert = _Bert()
        self._bert.load_state_dict(kept)
        self._bert.eval().requires_grad_(False)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[n, 384] float32, each row of length one."""
        encodings = self._tokenizer.encode_batch(list(texts))
        tokens = torch.tensor([e.ids for e in encodings])
        present = torch.tensor([e.attention_mask for e in encodings], dtype=torch.bool)
        with torch.inference_mode():
            states = self._bert(tokens, present)
            weight = present[..., None].to(states.dtype)
            mean = (states * weight).sum(1) / weight.sum(1)
            return F.normalize(mean, dim=-1).numpy()
