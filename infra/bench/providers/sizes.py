"""What the published checkpoints of the providers are made of, as their config.json files say.

Where nothing else is noted, the source is the model's repository on the hub, as the configuration
classes' defaults and the conversion scripts of transformers and diffusers repeat it. Numbers that
are a class's default are left out. Numbers of parameters are checked against the registry's sizes
by `python infra/bench/providers/run.py --sizes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Config = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """One network of a checkpoint: the `folder` in it that it is saved to, its class, what its
    configuration says, and torch's name of its dtype (empty: the registry's of the provider)."""

    folder: str
    library: Literal["transformers", "diffusers"]
    kind: str
    config: Config = field(default_factory=dict)
    dtype: str = ""


@dataclass(frozen=True)
class Published:
    """A checkpoint's networks, and what its files of settings say, by their path in it."""

    networks: tuple[Network, ...]
    settings: dict[str, Config] = field(default_factory=dict)


# Qwen/Qwen3-4B; Qwen/Qwen3-VL-4B-Instruct has the same language model
QWEN3_4B: Config = {
    "vocab_size": 151936,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": True,
}

# Qwen/Qwen2.5-VL-7B-Instruct, which is also the text encoder of Qwen-Image-Edit
QWEN2_5_VL_7B: Config = {
    "text_config": {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-06,
        "max_position_embeddings": 128000,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1000000.0,
            "mrope_section": [16, 24, 24],
        },
    },
    "vision_config": {"hidden_size": 1280, "out_hidden_size": 3584},
}

# The text encoder of openai/clip-vit-large-patch14
CLIP_L: Config = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
}

# The encoders of google/t5-v1_1-xxl and google/umt5-xxl
T5_XXL: Config = {
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
}
UMT5_XXL: Config = T5_XXL | {"vocab_size": 256384}

# The autoencoder of Stable Diffusion 1 and, with 16 channels and without 1×1 convolutions, FLUX.1
LATENT_DIFFUSION_VAE: Config = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
FLUX_VAE: Config = LATENT_DIFFUSION_VAE | {
    "latent_channels": 16,
    "scaling_factor": 0.3611,
    "shift_factor": 0.1159,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}


def _wan(transformer: Config) -> Published:
    # Their authors advise float32 for the autoencoder.
    return Published(
        (
            Network("text_encoder", "transformers", "UMT5EncoderModel", UMT5_XXL),
            Network("transformer", "diffusers", "WanVACETransformer3DModel", transformer),
            Network("vae", "diffusers", "AutoencoderKLWan", dtype="float32"),
        )
    )


PUBLISHED: dict[str, Published] = {
    "grounding_dino": Published(  # and transformers' convert_grounding_dino_to_hf.py
        (
            Network(
                "",
                "transformers",
                "GroundingDinoForObjectDetection",
                {
                    "backbone_config": {
                        "model_type": "swin",
                        "image_size": 384,
                        "window_size": 12,
                        "embed_dim": 128,
                        "depths": [2, 2, 18, 2],
                        "num_heads": [4, 8, 16, 32],
                        "out_features": ["stage2", "stage3", "stage4"],
                    },
                    "text_config": {"model_type": "bert"},
                },
            ),
        ),
        {
            "processor_config.json": {
                "image_processor": {"size": {"shortest_edge": 800, "longest_edge": 1333}}
            }
        },
    ),
    "sam2_video": Published(  # and the package's configs/sam2.1/sam2.1_hiera_l.yaml
        (
            Network(
                "",
                "transformers",
                "Sam2VideoModel",
                {
                    "vision_config": {
                        "model_type": "sam2_vision_model",
                        "backbone_config": {
                            "model_type": "sam2_hiera_det_model",
                            "hidden_size": 144,
                            "num_attention_heads": 2,
                            "blocks_per_stage": [2, 6, 36, 4],
                            "embed_dim_per_stage": [144, 288, 576, 1152],
                            "num_attention_heads_per_stage": [2, 4, 8, 16],
                            "window_size_per_stage": [8, 4, 16, 8],
                            "global_attention_blocks": [23, 33, 43],
                        },
                        "backbone_channel_list": [1152, 576, 288, 144],
                    },
                },
                dtype="float32",  # computed in the registry's by autocast
            ),
        ),
    ),
    "sam3": Published(  # as the classes' defaults
        (
            Network(
                "",
                "transformers",
                "Sam3VideoModel",
                {
                    "detector_config": {
                        "model_type": "sam3",
                        "text_config": {
                            "model_type": "clip_text_model",
                            "hidden_size": 1024,
                            "intermediate_size": 4096,
                            "projection_dim": 512,
                            "num_hidden_layers": 24,
                            "num_attention_heads": 16,
                            "max_position_embeddings": 32,
                        },
                    },
                    # So that something is found: random scores lie about one half
                    "score_threshold_detection": 0.2,
                    "hotstart_delay": 0,
                },
            ),
        ),
        {
            "processor_config.json": {
                "target_size": 1008,
                "image_processor": {"size": {"height": 1008, "width": 1008}},
                "video_processor": {"size": {"height": 1008, "width": 1008}},
            }
        },
    ),
    "blip2": Published(  # OPT: facebook/opt-2.7b
        (
            Network(
                "",
                "transformers",
                "Blip2ForConditionalGeneration",
                {
                    "text_config": {
                        "model_type": "opt",
                        "vocab_size": 50304,
                        "hidden_size": 2560,
                        "word_embed_proj_dim": 2560,
                        "ffn_dim": 10240,
                        "num_hidden_layers": 32,
                        "num_attention_heads": 32,
                    }
                },
            ),
        ),
        {
            "processor_config.json": {
                "num_query_tokens": 32,
                "image_processor": {"size": {"height": 224, "width": 224}},
            }
        },
    ),
    "vlm": Published(
        (Network("", "transformers", "Qwen2_5_VLForConditionalGeneration", QWEN2_5_VL_7B),),
        {
            "processor_config.json": {
                name: {"patch_size": 14, "size": {"shortest_edge": 3136, "longest_edge": 12845056}}
                for name in ("image_processor", "video_processor")
            }
        },
    ),
    "depth_anything": Published(  # and transformers' convert_depth_anything_to_hf.py
        (
            Network(
                "",
                "transformers",
                "DepthAnythingForDepthEstimation",
                {
                    "backbone_config": {
                        "model_type": "dinov2",
                        "hidden_size": 384,
                        "num_hidden_layers": 12,
                        "num_attention_heads": 6,
                        "image_size": 518,
                        "patch_size": 14,
                        "out_indices": [3, 6, 9, 12],
                        "apply_layernorm": True,
                        "reshape_hidden_states": False,
                    }
                },
            ),
        ),
        {"preprocessor_config.json": {"size": {"height": 518, "width": 518}}},
    ),
    "flux2_klein": Published(  # and Klein4BParams of github.com/black-forest-labs/flux2
        (
            Network("text_encoder", "transformers", "Qwen3ForCausalLM", QWEN3_4B),
            Network(
                "transformer",
                "diffusers",
                "Flux2Transformer2DModel",
                {
                    "num_layers": 5,
                    "num_single_layers": 20,
                    "num_attention_heads": 24,
                    "joint_attention_dim": 7680,
                    "guidance_embeds": False,
                },
            ),
            Network("vae", "diffusers", "AutoencoderKLFlux2"),
        )
    ),
    "qwen_image_edit": Published(
        (
            Network(
                "text_encoder",
                "transformers",
                "Qwen2_5_VLForConditionalGeneration",
                QWEN2_5_VL_7B,
            ),
            Network(
                "transformer", "diffusers", "QwenImageTransformer2DModel", {"zero_cond_t": True}
            ),
            Network("vae", "diffusers", "AutoencoderKLQwenImage"),
        )
    ),
    "flux_fill": Published(
        (
            Network("text_encoder", "transformers", "CLIPTextModel", CLIP_L),
            Network("text_encoder_2", "transformers", "T5EncoderModel", T5_XXL),
            Network(
                "transformer",
                "diffusers",
                "FluxTransformer2DModel",
                {"in_channels": 384, "out_channels": 64, "guidance_embeds": True},
            ),
            Network("vae", "diffusers", "AutoencoderKL", FLUX_VAE),
        )
    ),
    "controlnet_hed": Published(
        (
            Network("sd15/text_encoder", "transformers", "CLIPTextModel", CLIP_L),
            Network("sd15/unet", "diffusers", "UNet2DConditionModel", {"cross_attention_dim": 768}),
            Network("sd15/vae", "diffusers", "AutoencoderKL", LATENT_DIFFUSION_VAE),
            Network("controlnet", "diffusers", "ControlNetModel", {"cross_attention_dim": 768}),
        )
    ),
    "wan_vace": _wan(  # and diffusers' convert_wan_to_diffusers.py
        {
            "num_attention_heads": 12,
            "ffn_dim": 8960,
            "num_layers": 30,
            "vace_layers": list(range(0, 30, 2)),
        }
    ),
    "wan_vace_14b": _wan({}),
    "reward_model": Published(  # a Qwen3-VL 4B (arXiv 2604.16272): Qwen/Qwen3-VL-4B-Instruct
        (
            Network(
                "",
                "transformers",
                "Qwen3VLForConditionalGeneration",
                {
                    "tie_word_embeddings": True,
                    "text_config": QWEN3_4B
                    | {
                        "max_position_embeddings": 262144,
                        "rope_parameters": {
                            "rope_type": "default",
                            "rope_theta": 5000000.0,
                            "mrope_section": [24, 20, 20],
                            "mrope_interleaved": True,
                        },
                    },
                    "vision_config": {
                        "depth": 24,
                        "hidden_size": 1024,
                        "intermediate_size": 4096,
                        "out_hidden_size": 2560,
                        "deepstack_visual_indexes": [5, 11, 17],
                    },
                },
            ),
        ),
        {
            "processor_config.json": {
                "video_processor": {"size": {"shortest_edge": 4096, "longest_edge": 25165824}}
            }
        },
    ),
}

OPEN_CLIP: Config = {  # laion/CLIP-ViT-L-14-laion2B-s32B-b82K, open_clip_config.json
    "embed_dim": 768,
    "vision_cfg": {"image_size": 224, "layers": 24, "width": 1024, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 768, "heads": 12}
    | {"layers": 12},
}
