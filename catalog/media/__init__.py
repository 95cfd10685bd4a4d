"""Media in one place: read and write videos and mask tracks, fit sizes, store files by content.

Frames are uint8 `[T, H, W, 3]` RGB, masks bool `[T, H, W]`; sizes are `(height, width)` in px.
"""

from catalog.media.decode import (
    MIN_SIDE,
    VideoInfo,
    iter_frames,
    iter_frames_and_samples,
    probe,
    read_masks,
    read_video,
    sample_frames,
    sample_masks,
)
from catalog.media.encode import CRF, write_masks, write_video
from catalog.media.geometry import crop_resize, fit_size
from catalog.storage.media import MediaStore

__all__ = [
    "CRF",
    "MIN_SIDE",
    "MediaStore",
    "VideoInfo",
    "crop_resize",
    "fit_size",
    "iter_frames",
    "iter_frames_and_samples",
    "probe",
    "read_masks",
    "read_video",
    "sample_frames",
    "sample_masks",
    "write_masks",
    "write_video",
]
