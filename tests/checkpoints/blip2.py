"""A tiny BLIP-2."""

from pathlib import Path

from tests.checkpoints.tokens import byte_pairs
from tests.checkpoints.weights import spread


def make(folder: Path) -> Path:
    """Blip2ForConditionalGeneration on OPT with random weights, images of 28 px, and its
    processor."""
    import torch
    import transformers

    vocabulary, merges = byte_pairs()
    size = len(vocabulary)
    tokenizer = transformers.GPT2Tokenizer(
        vocab=vocabulary | {"<pad>": size, "</s>": size + 1, "<image>": size + 2},
        merges=merges,
        bos_token="</s>",
        eos_token="</s>",
        unk_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
    )
    processor = transformers.Blip2Processor(
        transformers.BlipImageProcessor(size={"height": 28, "width": 28}),
        tokenizer,
        num_query_tokens=4,
    )
    config = transformers.Blip2Config(
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
        qformer_config={
            "vocab_size": 32,
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "encoder_hidden_size": 16,
        },
        text_config={
            "model_type": "opt",
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "word_embed_proj_dim": 16,
            "ffn_dim": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 128,
            "pad_token_id": size,
            "bos_token_id": size + 1,
            "eos_token_id": size + 1,
        },
        num_query_tokens=4,
        image_token_index=size + 2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        spread(transformers.Blip2ForConditionalGeneration(config)).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
