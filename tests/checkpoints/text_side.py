"""Tiny text encoders of the real classes, with tokenizers that spell texts letter by letter."""

from __future__ import annotations

from typing import Any

WIDTH = 16
"""Channels of a text encoder."""


def letters() -> list[str]:
    """What a byte-level tokenizer writes a byte as, for each of the 256."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def t5() -> tuple[Any, Any]:
    """Tokenizer and encoder of T5 (FLUX)."""
    from transformers import T5Config, T5EncoderModel

    tokenizer, config = _unigram(), {"d_model": WIDTH, "d_kv": 8, "d_ff": 16, "num_layers": 1}
    return tokenizer, T5EncoderModel(
        T5Config(**config, num_heads=2, vocab_size=len(tokenizer))
    ).eval()


def umt5() -> tuple[Any, Any]:
    """Tokenizer and encoder of UMT5 (Wan)."""
    from transformers import UMT5Config, UMT5EncoderModel

    tokenizer, config = _unigram(), {"d_model": WIDTH, "d_kv": 8, "d_ff": 16, "num_layers": 1}
    return tokenizer, UMT5EncoderModel(
        UMT5Config(**config, num_heads=2, vocab_size=len(tokenizer))
    ).eval()


def clip() -> tuple[Any, Any]:
    """Tokenizer and text model of CLIP (Stable Diffusion 1.5, FLUX.1)."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    pieces = [*letters(), *(f"{letter}</w>" for letter in letters())]
    special = ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: k for k, piece in enumerate([*pieces, *special])}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
    config = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=vocabulary["<|startoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
        pad_token_id=vocabulary["<|endoftext|>"],
        projection_dim=WIDTH,
    )
    return tokenizer, CLIPTextModel(config).eval()


def qwen_tokenizer() -> Any:
    """Qwen's tokenizer, with its special tokens and a chat template of its kind."""
    from transformers import Qwen2Tokenizer

    tokenizer = Qwen2Tokenizer(
        vocab={letter: k for k, letter in enumerate(letters())} | {"<|endoftext|>": 256},
        merges=[],
    )
    tokenizer.add_special_tokens(
        {
            "additional_special_tokens": [
                "<|im_start|>",
                "<|im_end|>",
                "<|vision_start|>",
                "<|vision_end|>",
                "<|image_pad|>",
                "<|video_pad|>",
            ]
        }
    )
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{{ message['content'] }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    )
    return tokenizer


def _unigram() -> Any:
    from transformers import T5Tokenizer

    pieces = ["<pad>", "</s>", "<unk>", "▁", *(chr(code) for code in range(33, 127))]
    return T5Tokenizer(vocab=[(piece, -1.0) for piece in pieces], extra_ids=0)
