"""A tiny Qwen3-VL."""

from pathlib import Path
from typing import Any

from tests.checkpoints.tokens import byte_pairs
from tests.checkpoints.weights import spread

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TEMPLATE = (
    "{% for turn in messages %}<|im_start|>{{ turn.role }}\n"
    "{% for part in turn.content %}"
    "{% if part.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The shape of Qwen's own: turns between marks, a video's place held by one token."""


def tokenizer_of_qwen() -> Any:
    """A small tokenizer of Qwen's kind, with its special tokens."""
    import transformers

    vocabulary, merges = byte_pairs()
    for token in SPECIAL:
        vocabulary[token] = len(vocabulary)
    return transformers.Qwen2Tokenizer(
        vocab=vocabulary,
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(SPECIAL),
    )


def save(model: Any, processor: Any, folder: Path) -> Path:
    """Both into `folder`, with settings of generation such as Qwen's own checkpoints bring."""
    settings = model.generation_config
    ids = processor.tokenizer.convert_tokens_to_ids
    settings.eos_token_id = [ids("<|im_end|>"), ids("<|endoftext|>")]
    settings.pad_token_id = ids("<|endoftext|>")
    settings.do_sample, settings.temperature, settings.top_k = True, 0.7, 20
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def make(folder: Path) -> Path:
    """Qwen3VLForConditionalGeneration with random weights, and its processor."""
    import torch
    import transformers

    tokenizer = tokenizer_of_qwen()
    vocabulary = tokenizer.get_vocab()
    processor = transformers.Qwen3VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(
            patch_size=8, size={"shortest_edge": 16 * 16, "longest_edge": 64 * 64}
        ),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen3VLVideoProcessor(
            patch_size=8, size={"shortest_edge": 2 * 16 * 16, "longest_edge": 8 * 64 * 64}
        ),
        chat_template=TEMPLATE,
    )
    config = transformers.Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [4, 2, 2],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "patch_size": 8,
            "out_hidden_size": 32,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=vocabulary["<|image_pad|>"],
        video_token_id=vocabulary["<|video_pad|>"],
        vision_start_token_id=vocabulary["<|vision_start|>"],
        vision_end_token_id=vocabulary["<|vision_end|>"],
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = spread(transformers.Qwen3VLForConditionalGeneration(config))
    return save(model, processor, folder)
