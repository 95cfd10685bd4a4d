"""A tiny Qwen3-VL."""

from pathlib import Path

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


def make(folder: Path) -> Path:
    """Qwen3VLForConditionalGeneration with random weights, and its processor."""
    import torch
    import transformers

    vocabulary, merges = byte_pairs()
    for token in SPECIAL:
        vocabulary[token] = len(vocabulary)
    tokenizer = transformers.Qwen2Tokenizer(
        vocab=vocabulary,
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(SPECIAL),
    )
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
    model.generation_config.eos_token_id = [vocabulary["<|im_end|>"], vocabulary["<|endoftext|>"]]
    model.generation_config.pad_token_id = vocabulary["<|endoftext|>"]
    model.generation_config.do_sample = True  # as Qwen's own, with settings of its own
    model.generation_config.temperature = 0.7
    model.generation_config.top_k = 20
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
