"""Thousands of damaged and hostile videos and recipes: each ends in frames, or in a reason.

    python infra/bench/builds/fuzz.py [--videos 2000] [--recipes 500] [--seed 17] [--keep FOLDER]

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
import random
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

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
        options = {"fflags": "+bitexact"}  # no random ids, no dates
        if name == "fragmented":
            options["movflags"] = "frag_keyframe+empty_moov"
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


def bombs() -> dict[str, bytes]:
    """Small files that ask for much: memory, time, or frames."""
    made = {
        "y4m of 16000x16000": b"YUV4MPEG2 W16000 H16000 F25:1 Ip A1:1 C420\nFRAME\n" + b"\0" * 5000,
        "y4m of 2^31 px a side": b"YUV4MPEG2 W2147483647 H2147483647 F25:1\nFRAME\n",
        "y4m of 200 000 frames": b"YUV4MPEG2 W2 H2 F25:1 C420\n" + b"FRAME\n123456" * 200_000,
        "gif of 65535x65535": b"GIF89a"
        + b"\xff" * 4
        + b"\0\0\0,\0\0\0\0"
        + b"\xff" * 4
        + b"\0\x02",
        "png of 20000x20000": apng(20_000),
        "png of 8000x8000": apng(8_000),
        "nanoseconds and days": timed([0, 1, 2, 3, 10**9 * 9, 10**9 * 9 + 1], 10**9),
        "days between frames": timed([86_400 * k for k in range(12)], 1),
        "a clock at its end": timed([0, 2**40, 2**50, 2**60, 2**61, 2**62], 10**9),
    }
    return made


def apng(side: int) -> bytes:
    """An animated PNG of one black grey frame, a thousandth of its pixels in size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(zlib.Z_BEST_SPEED)
    rows = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    control = struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 25, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", head),
            chunk(b"acTL", struct.pack(">II", 1, 0)),
            chunk(b"fcTL", control),
            chunk(b"IDAT", rows),
            chunk(b"IEND", b""),
        )
    )


def timed(times: list[int], timescale: int) -> bytes:
    """A MOV whose frames are shown at these times, in units of `1 / timescale` s."""
    with tempfile.NamedTemporaryFile(suffix=".mov") as file:
        options = {"video_track_timescale": str(timescale)}
        with av.open(file.name, "w", options=options) as made:
            stream = made.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 80, "yuvj420p"
            for at in times:
                (packet,) = stream.encode(av.VideoFrame(96, 80, "yuvj420p"))
                packet.pts = packet.dts = at
                packet.time_base = Fraction(1, timescale)
                made.mux(packet)
        return Path(file.name).read_bytes()


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
    examples: dict[str, str] = field(default_factory=dict)  # of messages, by reason
    times: list[tuple[float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, name: str, work: Callable[[], str]) -> None:
        """Do it, and note the reason it gives or fails with."""
        started = time.perf_counter()
        try:
            reason = work()
        except EditmillError as error:
            reason = error.reason if isinstance(error, BadInput) else "refused"
            self.examples.setdefault(reason, f"{name}: {error!s:.160}")
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
            print(f"  {reason:24}{count:6}  {self.examples.get(reason, '')}")
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
    started = time.perf_counter()
    made, read_videos, read_recipes = videos(), Outcomes(), Outcomes()
    kinds, others = list(made), list(made.values())

    def kept(outcomes: Outcomes, before: int, name: str, data: bytes) -> None:
        if asked.keep and len(outcomes.faults) > before:
            asked.keep.mkdir(parents=True, exist_ok=True)
            (asked.keep / name.replace(":", "-").replace(" ", "_")).write_bytes(data)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video"
        for name, data in () if asked.only else bombs().items():
            path.write_bytes(data)
            read_videos.add(name, lambda: read(path))
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
    seconds = time.perf_counter() - started
    print(f"\n{len(kinds)} kinds of video, seed {asked.seed}, {seconds:.0f} s by the clock")
    sys.exit(bool(read_videos.faults or read_recipes.faults))


if __name__ == "__main__":
    main()
