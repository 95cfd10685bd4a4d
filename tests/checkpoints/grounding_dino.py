"""A tiny Grounding DINO."""

from pathlib import Path

from tests.checkpoints.tokens import word_pieces
from tests.checkpoints.weights import spread

TOKENS = 48
"""Of a prompt at most, so that a dozen phrases need several."""


def make(folder: Path) -> Path:
    """GroundingDinoForObjectDetection on Swin and BERT with random weights, images of 64 px, and
    its processor."""
    import torch
    import transformers

    vocabulary = word_pieces(
        "a", "red", "white", "car", "dog", "person", "horse", "traffic", "cone"
    )
    processor = transformers.GroundingDinoProcessor(
        transformers.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}),
        transformers.BertTokenizer(vocab=vocabulary),
    )
    config = transformers.GroundingDinoConfig(
        backbone_config=transformers.SwinConfig(
            image_size=64,
            patch_size=4,
            embed_dim=16,
            depths=[1, 1, 1, 1],
            num_heads=[1, 2, 4, 4],
            window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=transformers.BertConfig(
            vocab_size=1013,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
        ),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=12,
        max_text_len=TOKENS,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        spread(transformers.GroundingDinoForObjectDetection(config)).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
