"""Which parameters are trained.

Señorita-2M (Appendix B.3 to B.5) freezes the feed-forward layers of every block but the first:
they hold most of the parameters, and most of what the base has learnt about images. VIVID-10M
(Sec. 4.2) trains LoRA layers and the patch embedding alone.
"""

from __future__ import annotations

from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.specs import ExpertSpec


def freeze(editor: VideoEditor, spec: ExpertSpec) -> None:
    """Set `requires_grad` of every parameter as the spec says.

    The control branch is always trained, its feed-forward layers too.
    """
    adapter = editor.adapter_parameters()
    editor.requires_grad_(not adapter)
    for parameter in adapter.values():
        parameter.requires_grad_(True)
    if spec.freeze_ffn:
        for block in editor.transformer_blocks[1:]:
            block.ff.requires_grad_(False)
