"""Thousands of damaged and hostile videos and recipes: each ends in frames, or in a reason.

    python infra/bench/fuzz.py [--videos 2000] [--recipes 500] [--seed 17] [--keep FOLDER]

The videos are a dozen and a half of tiny ones, of as many containers and codecs, which the bench
encodes itself; each is then mutated (`mutated`): bits flipped, bytes cut off, out, doubled or put
in, numbers in headers set to their extremes, two files joined. `probe` and all frames of
`iter_frames` are asked of it. The recipes are those that are shipped, with lines lost, doubled and
swapped, values replaced by hostile ones, bytes damaged; each is parsed and its decisions are taken.

A *fault* is an exception that is no EditmillError, a message of more than one line, `decoder_error`
(an exception of ours in the decoding process), frames that are not as `probe` said, or more than 30
s. `decoder_crash` is none: the crash was the decoder's, and only that video's. Every fault is
listed with its number, by which `--only` makes it again. Ends with 1 if there is a fault.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from catalog.errors import BadInput, EditmillError
from catalog.media import iter_frames, probe
from flows import recipe

LONGEST = 30.0
"""Seconds by the clock that one input may take."""

FRAMES = 16

VIDEOS = {
    "mp4 h264": ("mp4", "libx264", "yuv420p"),
    "fragmented mp4 h264": ("fragmented.mp4", "libx264", "yuv420p"),
    "mkv hevc": ("mkv", "libx265", "yuv420p"),
    "webm vp8": ("webm", "libvpx", "yuv420p"),
    "webm vp9": ("webm", "libvpx-vp9", "yuv420p"),
    "mkv av1": ("mkv", "libsvtav1", "yuv420p"),
    "avi mpeg4": ("avi", "mpeg4", "yuv420p"),
    "avi mjpeg": ("avi", "mjpeg", "yuvj420p"),
    "ts h264": ("ts", "libx264", "yuv420p"),
    "mpg mpeg2": ("mpg", "mpeg2video", "yuv420p"),
    "flv flv1": ("flv", "flv", "yuv420p"),
    "mov prores": ("mov", "prores_ks", "yuv422p10le"),
    "mov qtrle": ("mov", "qtrle", "rgb24"),
    "mxf mpeg2": ("mxf", "mpeg2video", "yuv420p"),
    "wmv wmv2": ("wmv", "wmv2", "yuv420p"),
    "mkv ffv1": ("mkv", "ffv1", "yuv420p"),
    "gif": ("gif", "gif", "rgb8"),
    "apng": ("apng", "apng", "rgb24"),
    "y4m": ("y4m", "wrapped_avframe", "yuv420p"),
    "h264 stream": ("h264", "libx264", "yuv420p"),
}
"""Container, encoder and pixel format of each kind of video. One that this FFmpeg cannot encode is
left out."""

QUIET = {"libx265": {"x265-params": "log-level=none"}}
"""Options of encoders that talk."""

NUMBERS = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 64_000, 3]
"""What numbers in headers are set to."""

TEXTS = [
    b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
    b"ffconcat version 1.0\nfile /etc/hostname\n",
    b"RIFF\xff\xff\xff\xffAVI LIST",
    b"\x1a\x45\xdf\xa3" + b"\xff" * 16,
    b"\x00\x00\x00\x00moov" + b"\x00" * 8,
    b"\x00\x00\x01\xba" * 40,
]
"""What files are made to begin with, or to hold."""

VALUES = [
    "null", "true", "-1", "0", "1e309", ".nan", ".inf", "-.inf", "1" + "0" * 5000, "0x" + "f" * 999,
    "2024-99-99", "2001-12-14t21:59:43.10-99:99", "!!python/object/apply:os.system [id]",
    "!!python/name:os.system", "!!binary zzz", "!!timestamp x", "!!set {a, b}", "!!int x",
    "!!float x", "!!omap [1]", "[[[[]]]]", "[" * 3000, "{" * 3000, "{a: " * 400 + "1" + "}" * 400,
    "&a [*a, *a]", "*nothing", "&x {<<: *x}", "'" + "a" * 100_000 + "'", '"\\u202Eevil\\u0007"',
    '"\\x1b[2J\\x00"', "../../../../etc/passwd", "file:///etc/passwd", "s3://../..",
    "'; drop table x", "!!bool x", "!!int ''", "{? [a] : b}", "{? {a: 1} : b}", "{1: 2}", "=1+1",
    "<<: 1", "~", "{}", "[]", "''", "1:30:00", "0o77777", "99999999999999999999", "yes", "\t", "|",
    ">", "? ", "%",
]  # fmt: skip
"""What values of recipes are replaced by."""

LAUGHS = (
    "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 12))
    + "sources: *a11\n"
)
"""A text of a kilobyte whose aliases stand for 10^11 values."""


def encoded(container: str, encoder: str, pix_fmt: str) -> bytes:
    """A video of FRAMES frames of 96x80. Raises av.FFmpegError where this FFmpeg has no encoder."""
    rng = np.random.default_rng(0)
    name, _, suffix = container.rpartition(".")
    out = io.BytesIO()
    with tempfile.NamedTemporaryFile(suffix=f".{suffix}") as file:
        options = {"movflags": "frag_keyframe+empty_moov"} if name == "fragmented" else {}
        kind = {"y4m": "yuv4mpegpipe"}.get(suffix)
        with av.open(file.name, "w", format=kind, options=options) as made:
            stream = made.add_stream(encoder, rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 80, pix_fmt
            stream.options = {"g": "6", **QUIET.get(encoder, {})}
            for k in range(FRAMES):
                picture = rng.integers(0, 60, (80, 96, 3), np.uint8)
                picture[20:50, 4 * k : 4 * k + 24] += 120
                frame = av.VideoFrame.from_ndarray(picture).reformat(format=pix_fmt)
                frame.pts, frame.time_base = k, Fraction(1, 25)
                made.mux(stream.encode(frame))
            made.mux(stream.encode(None))
        out.write(Path(file.name).read_bytes())
    return out.getvalue()


def videos() -> dict[str, bytes]:
    """The videos that are mutated, by kind."""
    made = {}
    for kind, how in VIDEOS.items():
        try:
            made[kind] = encoded(*how)
        except (av.FFmpegError, ValueError) as error:
            print(f"left out, as it cannot be encoded here: {kind} ({error})", flush=True)
    return made


def mutated(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """The file with one to three mutations."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if not changed:
            break
        head = min(len(changed), rng.choice([64, 512, 2048]))
        at = rng.randrange(len(changed) if rng.random() < 0.5 else head)
        match rng.randrange(10):
            case 0:
                for _ in range(rng.choice([1, 4, 32])):
                    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
            case 1:
                for _ in range(rng.choice([1, 4, 32])):
                    changed[rng.randrange(head)] = rng.randrange(256)
            case 2:
                del changed[at:]
            case 3:
                del changed[at : at + rng.randrange(1, 1000)]
            case 4:
                changed[at:at] = changed[: rng.randrange(1, 1000)]
            case 5 | 6:
                size = rng.choice([1, 2, 4, 8])
                number = rng.choice(NUMBERS) & ((1 << 8 * size) - 1)
                changed[at : at + size] = number.to_bytes(size, rng.choice(["big", "little"]))
            case 7:
                span = rng.randrange(1, 200)
                changed[at : at + span] = bytes([rng.choice([0, 255])]) * span
            case 8:
                text = rng.choice(TEXTS)
                start = rng.choice([0, at])
                changed[start : start + len(text) * rng.randrange(2)] = text
            case 9:
                other = rng.choice(others)
                changed[at:] = other[rng.randrange(len(other)) :]
    return bytes(changed)


def mutated_recipe(text: str, rng: random.Random) -> bytes:
    """A recipe with one to three mutations; not always text."""
    lines = text.splitlines()
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = rng.randrange(len(lines)) if lines else 0
        match rng.randrange(8) if lines else 7:
            case 0:
                del lines[at]
            case 1:
                lines.insert(rng.randrange(len(lines)), lines[at])
            case 2:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 3 | 4 | 5:
                key, colon, _ = lines[at].partition(":")
                lines[at] = f"{key}{colon or ':'} {rng.choice(VALUES)}"
            case 6:
                lines[at] = " " * rng.randrange(9) + lines[at].lstrip()
            case 7:
                lines = LAUGHS.splitlines() + lines
    data = bytearray("\n".join(lines).encode())
    if data and rng.random() < 0.25:
        for _ in range(rng.choice([1, 5, 50])):
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


@dataclass
class Outcomes:
    """What became of all inputs of one kind."""

    reasons: Counter[str] = field(default_factory=Counter)
    times: list[tuple[float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, name: str, work: Callable[[], str]) -> None:
        """Do it, and note the reason it gives or fails with."""
        started = time.perf_counter()
        try:
            reason = work()
        except EditmillError as error:
            reason = error.reason if isinstance(error, BadInput) else "refused"
            if not str(error).isprintable() or len(str(error)) > 5000:
                self.faults.append(f"{name}: a message that is not one short line: {error!s:.200}")
            if reason == "decoder_error":
                self.faults.append(f"{name}: {error}")
        except Exception as error:
            reason = "fault"
            self.faults.append(f"{name}: {type(error).__name__}: {error!s:.300}")
        took = time.perf_counter() - started
        if took > LONGEST:
            self.faults.append(f"{name}: took {took:.0f} s")
        self.reasons[reason] += 1
        self.times.append((took, name))

    def table(self, title: str) -> None:
        print(f"\n{title}: {sum(self.reasons.values())}, faults: {len(self.faults)}")
        for reason, count in self.reasons.most_common():
            print(f"  {reason:24}{count:6}")
        for took, name in sorted(self.times, reverse=True)[:5]:
            print(f"  slowest {took:6.2f} s  {name}")
        for fault in self.faults:
            print(f"  FAULT {fault}", flush=True)


def read(path: Path) -> str:
    """Reads the whole video. Raises BadInput, and AssertionError where frames are not as said."""
    info = probe(path)
    end, count = time.perf_counter() + LONGEST, 0
    for frame in iter_frames(path):
        assert frame.shape == (info.height, info.width, 3), frame.shape
        count += 1
        if time.perf_counter() > end:
            return "long"
    assert count == info.frames, f"{count} frames of {info.frames}"
    assert 0 < info.fps < float("inf"), info.fps
    return "read"


def parse(data: bytes, folder: Path) -> str:
    """Loads the recipe as the command does."""
    path = folder / "recipe.yaml"
    path.write_bytes(data)
    found = recipe.load(path)
    json.dumps(found.decisions())
    return "loaded"


def chosen(asked: argparse.Namespace, kind: str, count: int) -> list[int]:
    wanted = [n for k, n in (name.split(":") for name in asked.only) if k == kind]
    return [int(n) for n in wanted] if asked.only else list(range(count))


def main() -> None:
    parser = argparse.ArgumentParser(description="Damaged and hostile videos and recipes.")
    parser.add_argument("--videos", type=int, default=2000)
    parser.add_argument("--recipes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--only", nargs="*", default=[], help="video:12 recipe:3")
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that have faults")
    asked = parser.parse_args()
    started, core = time.perf_counter(), os.times()
    made, read_videos, read_recipes = videos(), Outcomes(), Outcomes()
    kinds, others = list(made), list(made.values())

    def kept(outcomes: Outcomes, before: int, name: str, data: bytes) -> None:
        if asked.keep and len(outcomes.faults) > before:
            asked.keep.mkdir(parents=True, exist_ok=True)
            (asked.keep / name.replace(":", "-").replace(" ", "_")).write_bytes(data)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video"
        for number in chosen(asked, "video", asked.videos):
            rng = random.Random(f"{asked.seed} video {number}")
            kind = kinds[number % len(kinds)]
            data = mutated(made[kind], others, rng)
            path.write_bytes(data)
            before = len(read_videos.faults)
            read_videos.add(f"video:{number} {kind}", lambda: read(path))
            kept(read_videos, before, f"video:{number} {kind}", data)
        shipped = sorted((files("flows") / "recipes").iterdir(), key=lambda entry: entry.name)
        texts = [entry.read_text() for entry in shipped if entry.name.endswith(".yaml")]
        for number in chosen(asked, "recipe", asked.recipes):
            rng = random.Random(f"{asked.seed} recipe {number}")
            data = mutated_recipe(texts[number % len(texts)], rng)
            before = len(read_recipes.faults)
            read_recipes.add(f"recipe:{number}", lambda data=data: parse(data, Path(folder)))
            kept(read_recipes, before, f"recipe:{number}.yaml", data)
    read_videos.table("videos")
    read_recipes.table("recipes")
    now = os.times()
    print(
        f"\n{len(kinds)} kinds of video, seed {asked.seed}; {time.perf_counter() - started:.0f} s, "
        f"{now.user + now.system - core.user - core.system:.0f} core-seconds here"
    )
    sys.exit(bool(read_videos.faults or read_recipes.faults))


if __name__ == "__main__":
    main()
