"""What a build of a recipe would make and take, estimated without making any of it.

Each video is taken as one shot, since finding its cuts means decoding it; how many objects suit,
from clips of the samples, or how many edits a clip has, from those that the recipe planned before.
So these are estimates, and each says what it was made from.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.errors import BadInput
from catalog.records import Clip
from experts.edit.tasks import LOCAL, TASKS, Task
from experts.plan.draw import quotas
from experts.plan.rules import Planning
from experts.plan.view import edit_size
from experts.serving import EMBEDDED, provider_of
from flows.commands.making.estimate import costs, objects
from flows.commands.making.estimate.planned import Planned
from flows.commands.making.footage import ReadableVideos, Video, probed
from flows.recipe import Recipe
from flows.sources import samples
from flows.sources.files.paths import NoSuchFile
from flows.sources.samples import SampleSources
from flows.sources.source import LocalSection, RemoteSection, SourceFile
from flows.stages.clips.ingest import cuts, rules_for


@dataclass(frozen=True, slots=True)
class Forecast:
    """Estimates for one build; `edits` and `seconds` are core-seconds by task, both unrounded.
    `without` and `with_many` are the edits where no object suits, and where as many do as a clip
    may have edits. They follow from the `planned` clips that the recipe had before, if it had any.

    `absent` are the samples that must be fetched before anything about them is known; they are in
    no other figure. `unmeasured` are tasks whose time nobody measured, and which `seconds` leaves
    out.
    """

    footage: ReadableVideos
    absent: list[str]
    notes: list[str]
    clips: int
    planned: int
    edits: dict[str, float]
    without: dict[str, float]
    with_many: dict[str, float]
    records: float
    seconds: dict[str, float]
    unmeasured: list[str]
    bytes: float

    def between(self, task: str) -> tuple[int, int]:
        """The fewest and the most edits of a task, whatever objects suit."""
        counts = [each[task] for each in (self.edits, self.without, self.with_many)]
        return round(min(counts)), round(max(counts))

    @property
    def core_seconds(self) -> float:
        """Of the whole build."""
        return sum(self.seconds.values())


def forecast(recipe: Recipe, before: Planned | None = None) -> Forecast:
    """What `recipe` asks for; `before` is what it planned of other clips.

    Raises EditmillError for a folder that is not there or has no video, and for unknown samples.
    """
    files, absent, notes = _files(recipe)
    found = probed(files)
    made = {video: _clips(video, recipe) for video in found.videos}
    clips = [clip for own in made.values() for clip in own]
    edits: dict[str, float] = {}
    without: dict[str, float] = {}
    with_many: dict[str, float] = {}
    seconds = {
        "ingest": sum(costs.INGEST * c.frames / costs.CLIP_FRAMES for c in clips),
        "annotate": sum(costs.ANNOTATE * c.frames / costs.CLIP_FRAMES for c in clips),
    }
    size = sum(costs.CLIP_BYTES * c.width * c.height * c.frames for c in clips)
    records = 0.0
    if recipe.records is None:
        drawn = expected_edits(recipe.plan) | (before.per_clip if before else {})
        none = dict.fromkeys(objects.TASKS, 0.0)
        many = dict.fromkeys(objects.TASKS, float(recipe.plan.edits_per_clip))
        least, most = (expected_edits(recipe.plan, [suited]) for suited in (none, many))
        edits, without, with_many = (
            {task: count * len(clips) for task, count in each.items()}
            for each in (drawn, least, most)
        )
        for task, count in drawn.items():
            sizes = list(_edit_pixels(clips, TASKS[task], recipe.plan))
            if _is_measured(task, recipe):
                seconds[task] = count * sum(_seconds(TASKS[task], px) for px in sizes)
            size += count * sum(costs.EDIT_BYTES * pixels for pixels in sizes)
    else:
        records = len(clips) * recipe.records.per_clip * (1 + recipe.records.images_per_video)
    return Forecast(
        footage=found,
        absent=absent,
        notes=notes,
        clips=len(clips),
        planned=before.clips if before else 0,
        edits=edits,
        without=without,
        with_many=with_many,
        records=records,
        seconds=seconds,
        unmeasured=[task for task in edits if not _is_measured(task, recipe)],
        bytes=size,
    )


def expected_edits(
    rules: Planning, clips: Sequence[Mapping[str, float]] | None = None
) -> dict[str, float]:
    """Edits of each task that are drawn for a clip, on average over `clips`: of each, how many
    objects suit each task that needs one; None: as on the samples."""
    clips = objects.suited(rules) if clips is None else clips
    alike = Counter(tuple(sorted(clip.items())) for clip in clips)
    drawn = [(times, _edits_of(rules, dict(suited))) for suited, times in alike.items()]
    return {
        name: sum(times * edits[name] for times, edits in drawn) / len(clips)
        for name, weight in rules.weights.items()
        if weight
    }


def _edits_of(rules: Planning, suited: Mapping[str, float]) -> dict[str, float]:
    """Edits of each task that are drawn for a clip, on average, as `experts.plan.draw` draws them:
    swaps by themselves; of the others first those that edit one object, then the rest."""
    tasks = {TASKS[name]: weight for name, weight in rules.weights.items() if weight}
    swaps = {task for task in tasks if task.from_bank}
    candidates = {task: suited.get(task.name, 1.0) for task in tasks}
    # A task's weight is shared by the objects of a clip that suit it.
    rates = {task: weight / max(1.0, candidates[task]) for task, weight in tasks.items()}
    others = {task: count for task, count in candidates.items() if task not in swaps}
    local = {task: count for task, count in others.items() if task.local}
    wanted, beside = quotas(rules)
    first = _drawn(local, rates, min(float(wanted), sum(local.values())))
    left = {task: count - first.get(task, 0.0) for task, count in others.items()}
    room = min(float(beside), rules.edits_per_clip - sum(first.values()), sum(left.values()))
    rest = _drawn(left, rates, room)
    drawn = {task: first.get(task, 0.0) + rest[task] for task in others}
    for task in swaps:
        drawn[task] = min(float(rules.swaps_per_clip), candidates[task])
    return {task.name: drawn[task] for task in tasks}


def _drawn(
    candidates: Mapping[Task, float], rates: Mapping[Task, float], wanted: float
) -> dict[Task, float]:
    """How many of each task's candidates are among `wanted` ones, drawn by weight and not put back.

    Drawing so is the same as letting a candidate of weight w arrive at a time that is exponentially
    distributed with rate w, and taking the first: with T the time at which so many have arrived on
    average, each has been drawn with probability 1 − exp(−w T). T is found by halving.
    """

    def by(time: float) -> dict[Task, float]:
        return {task: n * -math.expm1(-rates[task] * time) for task, n in candidates.items()}

    low, high = 0.0, 1.0
    while sum(by(high).values()) < wanted * (1 - 1e-6):
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        enough = sum(by(middle).values()) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return by(high)


def _files(recipe: Recipe) -> tuple[list[SourceFile], list[str], list[str]]:
    """The sources that are on this machine, the samples that are not, and what was left out."""
    files: list[SourceFile] = []
    absent: list[str] = []
    notes: list[str] = []
    for section in recipe.sources:
        found: list[SourceFile] = []
        if isinstance(section, SampleSources):
            for name in section.names:
                if samples.entry_of(name).present:
                    found += samples.find(section.model_copy(update={"names": (name,)}))
                else:
                    absent.append(name)
        elif isinstance(section, LocalSection):
            listed = section.find()
            found = listed.files
            notes += listed.notes
        elif isinstance(section, RemoteSection):
            try:
                notes.append(f"Not in the figures, since nothing is fetched: {section.outlook()}")
            except NoSuchFile as error:
                if len(recipe.sources) == 1:
                    raise
                notes.append(f"Would be left out: {error}")
        files += [dataclasses.replace(file, section=section) for file in found]
    return files, absent, notes


def _clips(video: Video, recipe: Recipe) -> list[Clip]:
    info = video.info
    return [
        Clip("", "", "", "", "", first, frames, info.fps, info.width, info.height)
        for first, frames in cuts([(0, info.frames)], rules_for(video.file, recipe.clips))
    ]


def _edit_pixels(clips: Sequence[Clip], task: Task, rules: Planning) -> Iterator[int]:
    """px of all frames of the task's edit of each clip; 0 of one too small for it."""
    for clip in clips:
        try:
            height, width, frames = edit_size(clip, task, rules)
        except BadInput:
            yield 0
        else:
            yield height * width * frames


def _is_measured(task: str, recipe: Recipe) -> bool:
    return task in costs.EDIT and provider_of(recipe.experts, task) == EMBEDDED


def _seconds(task: Task, pixels: int) -> float:
    """Core-seconds of an edit of so many px; local edits never have more than were measured."""
    usual = costs.EDIT_PIXELS * costs.EDIT_FRAMES
    if task.size.height == LOCAL.height:
        usual = LOCAL.height * LOCAL.width * LOCAL.frames
    return costs.EDIT[task.name] * pixels / usual


def whole(edits: Mapping[str, float]) -> dict[str, int]:
    """The estimates as whole numbers."""
    return {task: round(count) for task, count in edits.items()}
