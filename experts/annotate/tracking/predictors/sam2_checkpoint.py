"""SAM 2's video model, of the package `sam2`, with weights in the hub's layout.

The package itself reads `.pt` files, which are pickles. The hub's repositories of SAM 2 hold the
same weights as `model.safetensors` too, under the names of transformers' `Sam2VideoModel`. They are
renamed here into the package's, and the network is put together from the checkpoint's
`config.json` as the package's YAML files do it for the sizes that Meta trained.

Checked by a test: both libraries give the same embeddings, masks and memories for one checkpoint.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

RENAMED = (
    (r"^vision_encoder\.backbone\.", "image_encoder.trunk."),
    (r"^vision_encoder\.neck\.convs\.(\d+)\.", r"image_encoder.neck.convs.\1.conv."),
    (r"^(image_encoder\.trunk\.patch_embed)\.projection\.", r"\1.proj."),
    (r"^prompt_encoder\.", "sam_prompt_encoder."),
    (r"\.shared_embedding\.positional_embedding$", ".pe_layer.positional_encoding_gaussian_matrix"),
    (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
    (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
    (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
    (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
    (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
    (r"^mask_decoder\.", "sam_mask_decoder."),
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
    (r"\.mask_downsampler\.final_conv\.", ".mask_downsampler.encoder.12."),
    (r"^memory_encoder\.projection\.", "memory_encoder.out_proj."),
    (r"^memory_encoder\.feature_projection\.", "memory_encoder.pix_feat_proj."),
    (r"^memory_encoder\.memory_fuser\.", "memory_encoder.fuser."),
    (r"(\.fuser\.layers\.\d+)\.depthwise_conv\.", r"\1.dwconv."),
    (r"(\.fuser\.layers\.\d+)\.pointwise_conv(\d)\.", r"\1.pwconv\2."),
    (r"(\.fuser\.layers\.\d+)\.scale$", r"\1.gamma"),
    (r"^memory_temporal_positional_encoding$", "maskmem_tpos_enc"),
    (r"^no_memory_embedding$", "no_mem_embed"),
    (r"^no_memory_positional_encoding$", "no_mem_pos_enc"),
    (r"^no_object_pointer$", "no_obj_ptr"),
    (r"^object_pointer_proj\.", "obj_ptr_proj."),
    (r"^occlusion_spatial_embedding_parameter$", "no_obj_embed_spatial"),
    (r"^temporal_positional_encoding_projection_layer\.", "obj_ptr_tpos_proj."),
    (r"\.layer_norm(\d?)\.", r".norm\1."),
    (r"\.layer_norm_final_attn\.", ".norm_final_attn."),
    (r"\.o_proj\.", ".out_proj."),
    # Small networks: transformers names the first and last layer, the package counts them. Those
    # in a transformer block have two layers, the others three.
    (r"(\.mlp)\.proj_in\.", r"\1.layers.0."),
    (r"(\.mlp)\.proj_out\.", r"\1.layers.1."),
    (r"(_head|_mlps\.\d+|obj_ptr_proj)\.layers\.0\.", r"\1.layers.1."),
    (r"(_head|_mlps\.\d+|obj_ptr_proj)\.proj_in\.", r"\1.layers.0."),
    (r"(_head|_mlps\.\d+|obj_ptr_proj)\.proj_out\.", r"\1.layers.2."),
)
"""transformers' names as patterns, and what the package has in their place, in this order."""

POINTS = "prompt_encoder.point_embed.weight"
"""One tensor with a row per kind of point; the package has a tensor for each."""

POSITIONS = "prompt_encoder.shared_embedding.positional_embedding"
POSITIONS_AGAIN = "shared_image_embedding.positional_embedding"
"""The package has one table for prompts and images, a checkpoint of the hub has it twice."""

DOWNSAMPLER = re.compile(r"(memory_encoder\.mask_downsampler)\.layers\.(\d+)\.(conv|layer_norm)\.")
"""The package has one sequence of convolution, norm and activation, three a layer."""


def renamed(weights: dict[str, Any]) -> dict[str, Any]:
    """Tensors by transformers' names as tensors by the package's names. Raises ValueError where
    they say what the package's network cannot."""
    if not (weights[POSITIONS] == weights[POSITIONS_AGAIN]).all():
        raise ValueError(f"{POSITIONS} and {POSITIONS_AGAIN} differ")
    result = {}
    for name, tensor in weights.items():
        if name == POSITIONS_AGAIN:
            continue
        if name == POINTS:
            for kind, row in enumerate(tensor):
                result[f"sam_prompt_encoder.point_embeddings.{kind}.weight"] = row[None]
            continue
        result[_renamed(name)] = tensor
    return result


def _renamed(name: str) -> str:
    layer = DOWNSAMPLER.match(name)
    if layer is not None:
        place = 3 * int(layer[2]) + (layer[3] == "layer_norm")
        return f"{layer[1]}.encoder.{place}.{name[layer.end() :]}"
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def open_predictor(folder: Path, device: str) -> Any:
    """The `SAM2VideoPredictor` in a folder with `config.json` and `model.safetensors`, in float32
    on `device`. Raises RuntimeError where the weights do not fit the network."""
    from safetensors.torch import load_file
    from transformers import Sam2VideoConfig

    predictor = _network(Sam2VideoConfig.from_pretrained(folder, local_files_only=True))
    weights = load_file(folder / "model.safetensors")
    predictor.load_state_dict(renamed(weights), strict=True)
    return predictor.float().to(device).eval()


def _network(config: Any) -> Any:
    """As the package's `configs/sam2.1/*.yaml` and its `build_sam2_video_predictor` put it
    together, with `config`'s sizes."""
    from sam2.sam2_video_predictor import SAM2VideoPredictor

    decoder = config.mask_decoder_config
    pointer_times = config.enable_temporal_pos_encoding_for_object_pointers
    return SAM2VideoPredictor(
        image_encoder=_image_encoder(config.vision_config),
        memory_attention=_memory_attention(config),
        memory_encoder=_memory_encoder(config),
        num_maskmem=config.num_maskmem,
        image_size=config.image_size,
        sigmoid_scale_for_mem_enc=config.sigmoid_scale_for_mem_enc,
        sigmoid_bias_for_mem_enc=config.sigmoid_bias_for_mem_enc,
        binarize_mask_from_pts_for_mem_enc=True,
        use_mask_input_as_output_without_sam=True,
        max_cond_frames_in_attn=config.max_cond_frame_num,
        directly_add_no_mem_embed=True,
        use_high_res_features_in_sam=True,
        multimask_output_in_sam=config.multimask_output_in_sam,
        multimask_min_pt_num=config.multimask_min_pt_num,
        multimask_max_pt_num=config.multimask_max_pt_num,
        multimask_output_for_tracking=config.multimask_output_for_tracking,
        use_multimask_token_for_obj_ptr=True,
        iou_prediction_use_sigmoid=True,
        use_obj_ptrs_in_encoder=True,
        max_obj_ptrs_in_encoder=config.max_object_pointers_in_encoder,
        add_tpos_enc_to_obj_ptrs=pointer_times,
        proj_tpos_enc_in_obj_ptrs=pointer_times,
        use_signed_tpos_enc_to_obj_ptrs=pointer_times,
        only_obj_ptrs_in_the_past_for_eval=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        fixed_no_obj_ptr=True,
        use_mlp_for_obj_ptr_proj=True,
        no_obj_embed_spatial=config.enable_occlusion_spatial_embedding,
        sam_mask_decoder_extra_args={
            "dynamic_multimask_via_stability": decoder.dynamic_multimask_via_stability,
            "dynamic_multimask_stability_delta": decoder.dynamic_multimask_stability_delta,
            "dynamic_multimask_stability_thresh": decoder.dynamic_multimask_stability_thresh,
        },
    )


def _image_encoder(vision: Any) -> Any:
    from sam2.modeling.backbones.hieradet import Hiera
    from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder

    backbone = vision.backbone_config
    trunk = Hiera(
        embed_dim=backbone.hidden_size,
        num_heads=backbone.num_attention_heads_per_stage[0],
        q_pool=backbone.num_query_pool_stages,
        q_stride=tuple(backbone.query_stride),
        stages=tuple(backbone.blocks_per_stage),
        window_pos_embed_bkg_spatial_size=tuple(
            backbone.window_positional_embedding_background_size
        ),
        window_spec=tuple(backbone.window_size_per_stage),
        global_att_blocks=tuple(backbone.global_attention_blocks),
    )
    neck = FpnNeck(
        position_encoding=_positions(vision.fpn_hidden_size),
        d_model=vision.fpn_hidden_size,
        backbone_channel_list=list(vision.backbone_channel_list),
        kernel_size=vision.fpn_kernel_size,
        stride=vision.fpn_stride,
        padding=vision.fpn_padding,
        fpn_top_down_levels=list(vision.fpn_top_down_levels),
        fpn_interp_model="nearest",
    )
    unused = len(vision.backbone_channel_list) - vision.num_feature_levels
    return ImageEncoder(trunk=trunk, neck=neck, scalp=unused)


def _memory_attention(config: Any) -> Any:
    from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
    from sam2.modeling.sam.transformer import RoPEAttention

    width = config.memory_attention_hidden_size
    rotary = {
        "rope_theta": config.rope_parameters["rope_theta"],
        "feat_sizes": tuple(config.memory_attention_rope_feat_sizes),
        "embedding_dim": width,
        "num_heads": config.memory_attention_num_attention_heads,
        "downsample_rate": config.memory_attention_downsample_rate,
    }
    layer = MemoryAttentionLayer(
        activation=config.memory_attention_feed_forward_hidden_act,
        dim_feedforward=config.memory_attention_feed_forward_hidden_size,
        dropout=0.0,
        pos_enc_at_attn=False,
        self_attention=RoPEAttention(**rotary),
        d_model=width,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        cross_attention=RoPEAttention(
            rope_k_repeat=True, kv_in_dim=config.memory_encoder_output_channels, **rotary
        ),
    )
    return MemoryAttention(
        d_model=width,
        pos_enc_at_input=True,
        layer=layer,
        num_layers=config.memory_attention_num_layers,
    )


def _memory_encoder(config: Any) -> Any:
    from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder

    return MemoryEncoder(
        in_dim=config.memory_encoder_hidden_size,
        out_dim=config.memory_encoder_output_channels,
        position_encoding=_positions(config.memory_encoder_output_channels),
        mask_downsampler=MaskDownSampler(
            embed_dim=config.mask_downsampler_embed_dim,
            kernel_size=config.mask_downsampler_kernel_size,
            stride=config.mask_downsampler_stride,
            padding=config.mask_downsampler_padding,
            total_stride=config.mask_downsampler_total_stride,
        ),
        fuser=Fuser(
            CXBlock(
                dim=config.memory_fuser_embed_dim,
                kernel_size=config.memory_fuser_kernel_size,
                padding=config.memory_fuser_padding,
                layer_scale_init_value=config.memory_fuser_layer_scale_init_value,
            ),
            num_layers=config.memory_fuser_num_layers,
        ),
    )


def _positions(width: int) -> Any:
    from sam2.modeling.position_encoding import PositionEmbeddingSine

    return PositionEmbeddingSine(num_pos_feats=width, normalize=True, temperature=10000)
