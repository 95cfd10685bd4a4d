"""What is asked of `editmill edit` and `judge`, checked before anything is loaded.

The experts take many seconds to import, a tracker minutes to run. Whoever misspelt a word should
not wait for either, so this module imports little, and each check imports only what it needs.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import EditmillError
from catalog.storage import open_storage
from catalog.storage.files import make_writable
from experts.edit.tasks import EDITORS, TASKS
from flows.commands.video.looks import look


@dataclass(frozen=True, slots=True)
class EditArguments:
    """One edit of one video, as the command line names it.

    `task` is a task, or an editor (`name` or `name@version`) of the catalog at `root`.
    """

    task: str
    video: Path
    out: Path
    mask: str = "none"  # a mask video, a folder of images, an image, or `none`
    box: str | None = None  # x0,y0,x1,y1 in px of the first frame
    label: str = ""
    prompt: str = ""
    seed: int = 0
    first_frame: Path | None = None
    root: str = "."

    @property
    def editor(self) -> bool:
        """Whether `task` names an editor."""
        return self.task not in TASKS

    @property
    def inputs(self) -> list[Path]:
        """The files that are read."""
        mask = [] if self.mask == "none" else [Path(self.mask)]
        first = [] if self.first_frame is None else [self.first_frame]
        return [self.video, *mask, *first]


def check(given: EditArguments) -> None:
    """Raises EditmillError, in one line with the remedy, for what cannot work."""
    if given.editor:
        _check_editor(given)
    else:
        _check_task(given)
    if given.mask != "none" and given.box is not None:
        raise EditmillError("--mask and --box both say where the object is; give one of them")
    if given.out.suffix.lower() != ".mp4":
        raise EditmillError(f"{given.out}: the result is an MP4; name it *.mp4")
    for path in given.inputs:
        if _is_same(given.out, path):
            raise EditmillError(
                f"{given.out}: would replace {path}, which is read; give another --out"
            )
    if not given.editor and TASKS[given.task].from_bank:
        raise EditmillError(
            f"{given.task} puts an object of another clip there, which only a build of several "
            "clips finds: editmill build"
        )
    check_files(*given.inputs)
    if not given.editor:
        look(given.task, given.prompt)
    if given.mask == "none" and given.box is not None:
        _check_box(given)
    elif given.mask == "none" and not given.editor and TASKS[given.task].needs_track:
        check_label(given.label)
    make_writable(given.out)  # else it would be told once all is made


def check_files(video: Path, *others: Path) -> None:
    """Raises EditmillError where one does not exist, or the first is no video."""
    from catalog import media

    media.probe(video)
    for path in others:
        if not path.exists():
            raise EditmillError(f"{path}: cannot be found; check the path")


def check_label(label: str) -> None:
    """Raises EditmillError where the detector knows no such object: else it would look through the
    whole video first."""
    if not label:
        raise EditmillError("no object given; add --object, --box or --mask")
    from experts.annotate.detection.detect import known_labels

    known = known_labels()
    if label not in known:
        near = difflib.get_close_matches(label.lower(), known, 3)
        there = f"did you mean {' or '.join(near)}?" if near else f"it knows: {', '.join(known)};"
        raise EditmillError(
            f"--object {label}: the detector knows no such object; {there} For any other object "
            "give --mask or --box"
        )


def _check_task(given: EditArguments) -> None:
    """Refuses what the task would leave unused: who gave it expects another result."""
    task = TASKS[given.task]
    if given.first_frame is not None:
        raise EditmillError(f"{given.task} takes no first frame; leave out --first-frame")
    if given.prompt and not given.task.endswith("style_transfer"):
        raise EditmillError(f"{given.task} takes no prompt; leave out --prompt")
    of_object = {
        "--mask": given.mask != "none",
        "--box": given.box is not None,
        "--object": bool(given.label),
    }
    unused = [option for option, named in of_object.items() if named]
    if unused and not task.needs_track:
        raise EditmillError(
            f"{given.task} edits the whole picture and no object; leave out {' and '.join(unused)}"
        )


def _check_editor(given: EditArguments) -> None:
    if given.task.partition("@")[0] not in EDITORS:
        near = difflib.get_close_matches(given.task, [*TASKS, *EDITORS], 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise EditmillError(
            f"{given.task!r} is not known{meant}; tasks: {', '.join(TASKS)}; "
            f"editors: {', '.join(EDITORS)}"
        )
    if not given.prompt:
        raise EditmillError(f"{given.task} does what it is told; give --prompt")
    if not open_storage(given.root).exists("catalog.json"):
        raise EditmillError(
            f"{given.root}: no catalog there; name the one with the editor by --catalog"
        )


def _check_box(given: EditArguments) -> None:
    from catalog import media

    try:
        x0, y0, x1, y1 = (float(value) for value in (given.box or "").split(","))
    except ValueError:
        raise EditmillError(
            f"--box {given.box}: not four numbers; write x0,y0,x1,y1 in pixels"
        ) from None
    info = media.probe(given.video)
    if not (0 <= x0 < x1 <= info.width and 0 <= y0 < y1 <= info.height):
        raise EditmillError(
            f"--box {given.box}: not a box inside the {info.width}×{info.height} picture; give x "
            f"from 0 to {info.width} and y from 0 to {info.height}, x0 < x1 and y0 < y1"
        )
    if (x0, y0, x1, y1) == (0, 0, info.width, info.height):
        raise EditmillError(
            f"--box {given.box}: is the whole picture; draw it closely around one object in it"
        )


def _is_same(out: Path, given: Path) -> bool:
    """Whether both are one file, also by a link or another spelling."""
    try:
        return out.samefile(given)
    except OSError:  # one of them is not there
        return False
