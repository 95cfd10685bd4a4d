"""What training may change.

Señorita-2M (Appendix B.3 to B.5) freezes the feed-forward layers of every block but the first:
they hold most of the parameters, and what the base knows about pictures stays as it was. VIVID-10M
(Sec. 4.2) trains low-rank layers and the patch embedding alone.
"""

from __future__ import annotations

from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.specs import ExpertSpec


def freeze(editor: VideoEditor, spec: ExpertSpec) -> None:
    """Set `requires_grad` of every parameter as the spec says; the control branch is always free.

    The feed-forward layers of its blocks are its own, and steer rather than paint.
    """
    adapter = editor.adapter()
    editor.requires_grad_(not adapter)
    for parameter in adapter.values():
        parameter.requires_grad_(True)
    if spec.freeze_ffn:
        for block in editor.transformer_blocks[1:]:
            block.ff.requires_grad_(False)
