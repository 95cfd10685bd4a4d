"""A reward model of VEFX-Reward's layout, small enough for a test."""

from __future__ import annotations

import json
from pathlib import Path

TOKENS = (
    "<|VQ_reward|>",
    "<|MQ_reward|>",
    "<|TA_reward|>",
    "<|IF_reward|>",
    "<|RQ_reward|>",
    "<|EE_reward|>",
)

PROMPT = """Grade the edit asked for by "{text_prompt}".
Instruction: <|IF_reward|>
Quality: <|RQ_reward|>
Exclusivity: <|EE_reward|>
"""
"""Of the same form as the real one, in other words."""

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }} "
    "{% for c in m.content %}{% if c.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)


def make(folder: Path, *, ordinal: bool = True, named_tokens: bool = True, head: int = 3) -> Path:
    """The folder of a Qwen3-VL of two layers with random weights and an `rm_head`.

    `named_tokens` False leaves the reward tokens out of its tokenizer, as a checkpoint that was
    saved before they were added; their embeddings are there nevertheless.
    """
    import torch
    import transformers
    from safetensors.torch import load_file, save_file
    from tokenizers import Tokenizer, models, pre_tokenizers

    special = [
        "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
        "<|image_pad|>", "<|video_pad|>", "<|endoftext|>",
    ]  # fmt: skip
    words = [
        "[UNK]",
        *[
            "Grade",
            "the",
            "edit",
            "asked",
            "for",
            "by",
            "Remove",
            "dog",
            "cat",
            ".",
            ":",
            "Instruction",
            "Quality",
        ],
    ]
    vocabulary = {token: i for i, token in enumerate([*words, *special])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="<|endoftext|>",
        additional_special_tokens=special,
    )
    if named_tokens:
        fast.add_tokens(list(TOKENS), special_tokens=True)
    ids = fast.get_vocab()
    config = transformers.Qwen3VLConfig(
        text_config={
            "vocab_size": len(vocabulary) + len(TOKENS),
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "pad_token_id": ids["<|endoftext|>"],
            "rope_scaling": {"rope_type": "default", "mrope_section": [4, 2, 2]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 32,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.Qwen3VLForConditionalGeneration(config)
        for weights in model.parameters():  # fresh weights hardly look at the pictures
            if weights.ndim > 1:
                torch.nn.init.normal_(weights, std=0.3)
        rm_head = torch.nn.Linear(32, head, bias=False).weight.detach().clone()
    model.save_pretrained(folder)
    weights = folder / "model.safetensors"
    save_file(load_file(weights) | {"rm_head.weight": rm_head}, weights, {"format": "pt"})
    transformers.Qwen3VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(patch_size=16),
        tokenizer=fast,
        video_processor=transformers.Qwen3VLVideoProcessor(
            size={"shortest_edge": 1024, "longest_edge": 64 * 64 * 16}
        ),
        chat_template=CHAT,
    ).save_pretrained(folder)
    settings = {
        "num_classes": 4,
        "output_dim": 3,
        "use_ordinal": ordinal,
        "reward_token": "special",
    }
    (folder / "vefx_config.json").write_text(json.dumps(settings), "utf-8")
    (folder / "prompt.txt").write_text(PROMPT, "utf-8")
    return folder
