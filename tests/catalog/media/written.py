"""Small files as cameras, recorders and other programs write them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
BASE = {"preset": "veryfast", "crf": "8", "threads": "1"}


def levels(frames: Frames) -> list[int]:
    """The numbers of `numbered` frames, from their brightness."""
    return np.rint((frames.mean((1, 2, 3)) - 20) / 5).astype(int).tolist()


def tagged(rgb: Frames, k: int, **attributes: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    frame.pts, frame.time_base = k, Fraction(1, 25)
    for name, value in attributes.items():
        setattr(frame, name, value)
    return frame


def packets(frames: Frames, options: dict[str, str] | None = None, codec: str = "libx264"):
    """An encoder's packets of the frames, and the context they need."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = {**BASE, **(options or {})} if codec == "libx264" else options or {}
    made = []
    for k, rgb in enumerate(frames):
        made += context.encode(tagged(rgb, k).reformat(format="yuv420p"))
    return [*made, *context.encode(None)]


def transport(frames: Frames, first: float, path: Path) -> bytes:
    """The frames as a transport stream whose clock begins at `first` s."""
    with av.open(str(path), "w", format="mpegts", options={"muxdelay": "0"}) as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.options = {**BASE, "g": "12"}
        for k, rgb in enumerate(frames):
            frame = tagged(rgb, k + round(25 * first)).reformat(format="yuv420p")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


def mux(path: Path, made: list[av.Packet], frames: Frames) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for packet in made:
            packet.stream = stream
            packet.time_base = Fraction(1, 25)
            out.mux(packet)
    return path


def ends_still(path: Path, frames: Frames) -> Path:
    """The frames, the last of which stands for ten seconds."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.options = {**BASE, "bf": "0"}
        made = []
        for k, rgb in enumerate(frames):
            made += stream.encode(tagged(rgb, k).reformat(format="yuv420p"))
        made += stream.encode(None)
        made[-1].duration = int(10 / made[-1].time_base)
        out.mux(made)
    return path


def woven(frames: int) -> Frames:
    """Two fields a frame of a bar that moves 4 px a field, [frames, 96, 128, 3]."""
    out = np.full((frames, 96, 128, 3), 40, np.uint8)
    for k in range(frames):
        for field in (0, 1):
            left = 4 * (2 * k + field) % 90
            out[k, field::2, left : left + 24] = 200
    return out
