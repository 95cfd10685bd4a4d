"""From packets to decoded frames: deinterlaced, and without those before the first keyframe."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import av
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from catalog.media.demux.container import DECODE_THREADS, packets

ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that read the alpha plane of VP8 and VP9 in WebM; FFmpeg's own ones ignore it."""

FIELD_ORDERS = {2: "tff", 3: "bff", 4: "bff", 5: "tff"}
"""Which field is shown first, by AVFieldOrder (TT, BB, TB, BT: first coded, then first shown)."""


def alpha_decoder(stream: VideoStream) -> str | None:
    """The decoder that reads the stream's alpha plane, if the default one ignores it; else None."""
    if {key.lower(): value for key, value in stream.metadata.items()}.get("alpha_mode") != "1":
        return None
    return ALPHA_DECODERS.get(stream.codec_context.codec.canonical_name)


def decode_frames(
    container: Any, stream: VideoStream, decoder: str | None, skip_to_keyframe: bool
) -> Iterator[VideoFrame]:
    """The stream's frames from the container's current position, in presentation order.

    `decoder` names a decoder other than the stream's default. With `skip_to_keyframe` the packets
    before the first keyframe are not decoded. Raises av.FFmpegError.
    """
    context: Any = stream.codec_context
    if decoder is not None:
        context = av.CodecContext.create(decoder, "r")
        context.thread_count = DECODE_THREADS
    for packet in packets(container, stream):
        last = packet.size == 0 and packet.dts is None  # the demuxer's flush packet
        if not last and (packet.size == 0 or (skip_to_keyframe and not packet.is_keyframe)):
            continue
        skip_to_keyframe = False
        yield from context.decode(packet)


def field_parity(stream: VideoStream) -> str | None:
    """Which field is shown first, `tff` or `bff`, if the container says there are fields."""
    return FIELD_ORDERS.get(int(stream.codec_context.field_order))


def deinterlaced(frames: Iterator[VideoFrame], parity: str | None) -> Iterator[VideoFrame]:
    """The same number of frames, with interlaced ones deinterlaced (FFmpeg's bwdif).

    Without `parity`, frames that are flagged as interlaced are; with it, all are, whatever their
    flags. Frames before the first interlaced one do not pass the filter.
    """
    graph, shape = None, None
    times: deque[tuple[int | None, Any]] = deque()
    for frame in frames:
        if graph is None and parity is None and not frame.interlaced_frame:
            yield frame
            continue
        if shape != (frame.width, frame.height, frame.format.name):
            if graph is not None:
                yield from _pull(graph, times, end=True)
            shape = (frame.width, frame.height, frame.format.name)
            graph = _bwdif(frame, parity)
        assert graph is not None
        times.append((frame.pts, frame.time_base))
        graph.push(frame)
        yield from _pull(graph, times, end=False)
    if graph is not None:
        yield from _pull(graph, times, end=True)


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


def _pull(graph: Graph, times: deque[tuple[int | None, Any]], end: bool) -> Iterator[VideoFrame]:
    if end:
        graph.push(None)
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, VideoFrame)
        frame.pts, frame.time_base = times.popleft()  # the filter counts in half frames
        yield frame
