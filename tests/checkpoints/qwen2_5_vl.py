"""A tiny Qwen2.5-VL."""

from pathlib import Path

from tests.checkpoints.qwen3_vl import TEMPLATE, save, tokenizer_of_qwen
from tests.checkpoints.weights import spread


def make(folder: Path) -> Path:
    """Qwen2_5_VLForConditionalGeneration with random weights, and its processor."""
    import torch
    import transformers

    tokenizer = tokenizer_of_qwen()
    vocabulary = tokenizer.get_vocab()
    processor = transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(
            patch_size=8, size={"shortest_edge": 16 * 16, "longest_edge": 64 * 64}
        ),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen2VLVideoProcessor(
            patch_size=8, size={"shortest_edge": 16 * 16, "longest_edge": 64 * 64}
        ),
        chat_template=TEMPLATE,
    )
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [4, 2, 2],
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "patch_size": 8,
            "window_size": 32,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
        },
        image_token_id=vocabulary["<|image_pad|>"],
        video_token_id=vocabulary["<|video_pad|>"],
        vision_start_token_id=vocabulary["<|vision_start|>"],
        vision_end_token_id=vocabulary["<|vision_end|>"],
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = spread(transformers.Qwen2_5_VLForConditionalGeneration(config))
    return save(model, processor, folder)
