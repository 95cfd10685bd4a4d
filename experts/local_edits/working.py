"""What all records of a clip share: its frames, masks and motion at the working size."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from catalog import media
from catalog.query import Queries
from catalog.records import Track
from catalog.samples.local_edit import shown
from experts.annotate.motion import statistics as motion
from experts.annotate.motion.camera import Transform, agreement, camera_motion
from experts.annotate.motion.flow import DIS, Flow, FlowEstimator
from experts.base import Frames, Masks
from experts.local_edits.draw import DraftedClip
from experts.local_edits.paste import Background, background_of

LEAST_AGREEMENT = 0.8
"""Share of the background that must move as the camera's estimate says. Below it nothing is said of
where an object goes, for it might be the camera that passes it."""


class WorkingClip:
    """A clip at the working size of `experts.annotate.motion.statistics`, read when first
    needed and shared by all its records. `flow` estimates its motion."""

    def __init__(self, catalog: Queries, drafted: DraftedClip, flow: FlowEstimator = DIS) -> None:
        self.catalog = catalog
        self.flow = flow
        self.drafted = drafted
        clip = drafted.clip
        self.crop = drafted.drafts[0].crop if drafted.drafts else [0, 0, clip.width, clip.height]
        self.size = motion.working_size(*self.crop[2:])

    def tracks(self) -> dict[str, Track]:
        return {track.track_id: track for track in self.drafted.tracks}

    @cached_property
    def frames(self) -> Frames:
        """[T, h, w, 3] of the whole clip."""
        video = self.catalog.path(self.drafted.clip.video)
        pictures = (shown(f[None], self.crop, self.size)[0] for f in media.iter_frames(video))
        return np.stack(list(pictures))

    @cached_property
    def occupied(self) -> Masks:
        """[T, h, w], where any object is."""
        taken = np.zeros(self.frames.shape[:3], bool)
        for track in self.drafted.tracks:
            masks = media.read_masks(self.catalog.path(track.masks))
            taken |= shown(masks, self.crop, self.size)
        return taken

    @cached_property
    def fields(self) -> list[Flow]:
        return motion.flows(self.frames, self.flow)

    @cached_property
    def steps(self) -> list[Transform]:
        """The camera's motion, T − 1."""
        return camera_motion(self.fields, self.occupied)

    @cached_property
    def reliable_steps(self) -> list[Transform]:
        """The camera's motion, or nothing where no single motion explains the background."""
        share = agreement(self.fields, self.steps, self.occupied)
        return self.steps if share >= LEAST_AGREEMENT else []

    @cached_property
    def background(self) -> Background:
        return background_of(self.frames, self.occupied, self.fields, self.steps)
