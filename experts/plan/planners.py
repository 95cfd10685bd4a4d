"""What each family of tasks needs when one of its edits is planned.

A task names its planner (`experts.edit.tasks.Task.planner`). The planner says which objects of a
clip an edit may be drawn for, and writes the prompts and parameters of the one that was drawn.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from catalog.records import Clip, Track
from experts.annotate.detection.kinds import alike
from experts.edit.style.adjectives import local_adjectives
from experts.edit.style.styles import global_style
from experts.edit.swap.matching import replaceable_by
from experts.edit.tasks import Task
from experts.plan.attached import attached
from experts.plan.bank import Bank
from experts.plan.donors import Replacement, draw_replacement, replacements
from experts.plan.framing import Crop
from experts.plan.occlusion import occluders
from experts.plan.referring import refer
from experts.plan.rules import Planning
from experts.plan.view import Unsuited, View, removal_context, view, view_or_reason
from experts.write.language.nouns import indefinite

NO_DONORS = Bank(())


@dataclass(frozen=True, slots=True)
class Scene:
    """What the edits of a clip are planned from: its objects' tracks, and the objects of other
    clips that a swap may take from `bank`.

    `generated` are the tasks whose expert paints what it is told. `replacements` are names of what
    may take the place of an object, by its label, as a language model gives them; for a label
    without any they are the labels of its kind (`experts.edit.swap.matching.KINDS`). `looks` are
    adjectives that an object could take on, by its label, from the same model; without any, and for
    an embedded stylizer, ours are drawn.
    """

    clip: Clip
    tracks: Sequence[Track]
    rules: Planning
    bank: Bank = NO_DONORS
    generated: Collection[str] = ()
    replacements: Mapping[str, Sequence[str]] = field(default_factory=dict)
    looks: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(slots=True)
class EditDraft:
    """An edit before it gets its identity. `phrase` is the referring expression of its object,
    `count` how many objects are meant; the other fields are those of `catalog.records.Plan`."""

    view: View
    phrase: str = ""
    count: int = 1
    prompt: str = ""
    negative_prompt: str = ""
    target_prompt: str = ""
    params: dict[str, Any] = field(default_factory=dict)


class Planner:
    """Plans edits of the whole picture, which need neither object nor prompt."""

    def unsuited(self, scene: Scene, task: Task, track: Track) -> Unsuited | None:
        """Why the task may not be drawn for an object of the scene; None where it may."""
        return None

    def objects(self, scene: Scene, task: Task) -> Sequence[Track | None]:
        """The objects the task may be drawn for; `[None]` for a task without one."""
        return [None]

    def draft(
        self, scene: Scene, task: Task, track: Track | None, rng: np.random.Generator
    ) -> EditDraft:
        """The edit of one of these objects. What is left to chance is drawn from `rng`."""
        return EditDraft(_view(scene, task, track))


class GlobalStylePlanner(Planner):
    """A style for the whole picture."""

    def draft(
        self, scene: Scene, task: Task, track: Track | None, rng: np.random.Generator
    ) -> EditDraft:
        prompt, params = global_style(rng)
        return EditDraft(
            _view(scene, task, track), prompt=prompt, target_prompt=prompt, params=params
        )


class _OneObject(Planner):
    """Plans edits of one object, which an expression must tell apart from others of its kind."""

    def unsuited(self, scene: Scene, task: Task, track: Track) -> Unsuited | None:
        return _reason(view_or_reason(scene.clip, track, scene.tracks, task, scene.rules))

    def objects(self, scene: Scene, task: Task) -> Sequence[Track | None]:
        return [track for track in scene.tracks if self.unsuited(scene, task, track) is None]


class LocalStylePlanner(_OneObject):
    """A colour, material or style for one object."""

    def draft(
        self, scene: Scene, task: Task, track: Track | None, rng: np.random.Generator
    ) -> EditDraft:
        assert track is not None
        shown = _view(scene, task, track)
        looks = scene.looks.get(track.label, ())
        if looks and task.name in scene.generated:
            look = looks[int(rng.integers(len(looks)))]
            prompt, params = indefinite(f"{look} {track.label}"), {"kind": "look", "look": look}
        else:
            prompt, params = local_adjectives(rng, track.label)
        return EditDraft(shown, shown.phrase, prompt=prompt, target_prompt=prompt, params=params)


class RemovalPlanner(_OneObject):
    """An object goes, or comes: an addition is a removal read backwards."""

    def draft(
        self, scene: Scene, task: Task, track: Track | None, rng: np.random.Generator
    ) -> EditDraft:
        assert track is not None
        shown = _view(scene, task, track)
        params = _with_attached(scene, track, shown.alive)
        seen = removal_context(track, shown.alive, scene.rules)
        if seen != shown.alive:
            params["span"] = [seen.start, seen.stop - seen.start]
        if others := occluders(track, scene.tracks, seen):
            params["others"] = sorted(other.track_id for other in others)
        params |= _background(scene)
        return EditDraft(
            shown,
            shown.phrase,
            # Señorita-2M, remover: positive and negative prompt.
            prompt=f"Remove {track.label}",
            negative_prompt=f"Generate {track.label}",
            target_prompt=f"a {track.label}" if task.made_side == "source" else "",
            params=params,
        )


class SwapPlanner(_OneObject):
    """Another clip's object takes the place of one: the source shows the other, the target is the
    footage."""

    def unsuited(self, scene: Scene, task: Task, track: Track) -> Unsuited | None:
        if self._replacements(scene, task, track):
            return None

        def told_apart(crop: Crop, alive: slice) -> str:  # depends on the donor, which is missing
            return track.label

        reason = view_or_reason(scene.clip, track, scene.tracks, task, scene.rules, told_apart)
        return _reason(reason) or Unsuited.NO_DONOR

    def objects(self, scene: Scene, task: Task) -> Sequence[Track | None]:
        return [track for track in scene.tracks if self._replacements(scene, task, track)]

    def draft(
        self, scene: Scene, task: Task, track: Track | None, rng: np.random.Generator
    ) -> EditDraft:
        assert track is not None
        swap = draw_replacement(self._replacements(scene, task, track), rng)
        return EditDraft(
            swap.shown,
            swap.label,
            # The remover's prompts: the object's place is cleared before the other is put there.
            prompt=f"Remove {track.label}",
            negative_prompt=f"Generate {track.label}",
            target_prompt=f"a {swap.label}",
            params=swap.params()
            | _with_attached(scene, track, swap.shown.alive)
            | _background(scene),
        )

    def _replacements(self, scene: Scene, task: Task, track: Track) -> list[Replacement]:
        return replacements(scene.clip, track, scene.tracks, task, scene.bank, scene.rules)


class GeneratedSwapPlanner(_OneObject):
    """Something that is only named takes the place of an object: an image editor paints it."""

    def unsuited(self, scene: Scene, task: Task, track: Track) -> Unsuited | None:
        tried = self._tried(scene, task, track).values()
        reasons = [reason for found in tried if (reason := _reason(found))]
        return max(reasons, default=Unsuited.NO_DONOR) if len(reasons) == len(tried) else None

    def draft(
        self, scene: Scene, task: Task, track: Track | None, rng: np.random.Generator
    ) -> EditDraft:
        assert track is not None
        tried = self._tried(scene, task, track).items()
        possible = {name: found for name, found in tried if isinstance(found, View)}
        name = list(possible)[int(rng.integers(len(possible)))]
        shown = possible[name]
        return EditDraft(
            shown,
            track.label,
            prompt=indefinite(name),
            negative_prompt=track.label,
            target_prompt=indefinite(track.label),
            params={"replacement": name, "replacement_phrase": shown.phrase}
            | _with_attached(scene, track, shown.alive),
        )

    def _tried(self, scene: Scene, task: Task, track: Track) -> dict[str, View | Unsuited]:
        """By the name of what may take the object's place, what of the clip to show, with an
        expression that tells it apart from the other objects there."""
        found = {}
        for name in scene.replacements.get(track.label) or replaceable_by(track.label):
            here = dataclasses.replace(track, label=name, rivals=[])
            tracks = [here if other is track else other for other in scene.tracks]
            told_apart = partial(refer, here, tracks, scene.clip)
            found[name] = view_or_reason(
                scene.clip, track, scene.tracks, task, scene.rules, told_apart
            )
        return found


class GroundingPlanner(_OneObject):
    """All objects of a kind are painted, so none needs to be told apart."""

    def objects(self, scene: Scene, task: Task) -> Sequence[Track | None]:
        suited = [track for track in super().objects(scene, task) if track is not None]
        return list({track.label: track for track in reversed(suited)}.values())

    def draft(
        self, scene: Scene, task: Task, track: Track | None, rng: np.random.Generator
    ) -> EditDraft:
        assert track is not None
        shown = _view(scene, task, track)
        same = sorted(t.track_id for t in scene.tracks if alike(t.label, track.label))
        return EditDraft(shown, shown.phrase, count=len(same), params={"tracks": same})


@functools.cache
def planner_of(task: Task, generated: bool = False) -> Planner:
    """The task's planner; `generated` where its expert paints what it is told."""
    path = (generated and task.generated) or task.planner
    module, _, name = path.partition(":")
    found: Planner = getattr(importlib.import_module(module), name)()
    return found


def _view(scene: Scene, task: Task, track: Track | None) -> View:
    found = view(scene.clip, track, scene.tracks, task, scene.rules)
    assert found is not None  # else it had not been drawn
    return found


def _reason(found: View | Unsuited) -> Unsuited | None:
    return found if isinstance(found, Unsuited) else None


def _background(scene: Scene) -> dict[str, Any]:
    """What the rest of the shot shows behind the object, where it does."""
    return {"background": scene.clip.background} if scene.clip.background else {}


def _with_attached(scene: Scene, track: Track, alive: slice) -> dict[str, Any]:
    """The tracks to edit where something is attached to the object; nothing where it is alone."""
    things = attached(track, scene.tracks, alive)
    if not things:
        return {}
    return {"tracks": [track.track_id, *sorted(t.track_id for t in things)]}
