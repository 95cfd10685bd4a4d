"""From packets to decoded frames, whole pictures only: no half pictures of interlaced video, none
that needs what the file does not hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import av
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from catalog.media.container import DECODE_THREADS, packets

ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""WebM keeps transparency in a second stream of packets that FFmpeg's own decoders leave out."""

FIELDS = {2: "tff", 3: "bff", 4: "bff", 5: "tff"}
"""By AVFieldOrder (…TT, BB, TB, BT: the field coded first, then the one shown first)."""


def alpha_decoder(stream: VideoStream) -> str | None:
    """The decoder that reads the stream's transparency, where the usual one would not."""
    if {key.lower(): value for key, value in stream.metadata.items()}.get("alpha_mode") != "1":
        return None
    return ALPHA_DECODERS.get(stream.codec_context.codec.canonical_name)


def decoded(
    container: Any, stream: VideoStream, decoder: str | None, from_key: bool
) -> Iterator[VideoFrame]:
    """The stream's frames from where the container stands, in the order shown.

    `decoder` names one other than the stream's own. With `from_key` all before the first keyframe
    is left out: it needs what was cut away. Raises av.FFmpegError.
    """
    context: Any = stream.codec_context
    if decoder is not None:
        context = av.CodecContext.create(decoder, "r")
        context.thread_count = DECODE_THREADS
    for packet in packets(container, stream):
        last = packet.size == 0 and packet.dts is None  # the demuxer's sign that the file is over
        if not last and (packet.size == 0 or (from_key and not packet.is_keyframe)):
            continue
        from_key = False
        yield from context.decode(packet)


def parity(stream: VideoStream) -> str | None:
    """Which field comes first, `tff` or `bff`, where the container says that there are fields."""
    return FIELDS.get(int(stream.codec_context.field_order))


def deinterlaced(frames: Iterator[VideoFrame], parity: str | None) -> Iterator[VideoFrame]:
    """The frames with those that are two fields made one picture (FFmpeg's bwdif), one for one.

    Frames say themselves whether they are; with `parity`, all of them are, whatever they say. The
    filter begins with the first such frame.
    """
    graph, shape = None, None
    stamps: deque[tuple[int | None, Any]] = deque()
    for frame in frames:
        if graph is None and parity is None and not frame.interlaced_frame:
            yield frame
            continue
        if shape != (frame.width, frame.height, frame.format.name):
            if graph is not None:
                yield from _pull(graph, stamps, end=True)
            shape = (frame.width, frame.height, frame.format.name)
            graph = _bwdif(frame, parity)
        assert graph is not None
        stamps.append((frame.pts, frame.time_base))
        graph.push(frame)
        yield from _pull(graph, stamps, end=False)
    if graph is not None:
        yield from _pull(graph, stamps, end=True)


def _bwdif(frame: VideoFrame, parity: str | None) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base,
    )
    which = "interlaced" if parity is None else "all"
    bwdif = graph.add("bwdif", f"mode=send_frame:parity={parity or 'auto'}:deint={which}")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


def _pull(graph: Graph, stamps: deque[tuple[int | None, Any]], end: bool) -> Iterator[VideoFrame]:
    if end:
        graph.push(None)
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, VideoFrame)
        frame.pts, frame.time_base = stamps.popleft()  # the filter counts in half frames
        yield frame
