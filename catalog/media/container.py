"""Opening a video file: only as a video, only from this machine, and the stream a player shows.

FFmpeg decides by a file's content how to read it, and some of its formats are texts that name other
files or addresses (playlists, ffconcat, SDP). So the formats are a list, and the one protocol is
`file`, which also lets a name hold colons.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import av
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from catalog.errors import BadInput

FORMATS = (
    "mov,matroska,avi,mpeg,mpegts,mpegvideo,mxf,gxf,asf,asf_o,flv,live_flv,ogg,gif,apng,dv,nut,"
    "ivf,rm,yuv4mpegpipe,wtv,dhav,h261,h263,h264,hevc,vvc,av1,obu,m4v,mjpeg,vc1,vc1test,dirac,"
    "cavsvideo"
)
"""FFmpeg's names of the containers and raw streams that are read: all self-contained video."""

DECODE_THREADS = 2
"""Two shards run side by side on the smallest supported machine, so more would only contend."""

NOT_THE_FILM = (
    Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
)  # covers and chapter pictures
LONG_ENOUGH = 0.5
"""Of the longest stream's pictures: a stream with fewer is a cover or a slide beside the film."""
LARGE_ENOUGH = 0.5
"""Of the largest stream's pixels: a smaller one is a preview."""

_PASSING = {
    getattr(errno, name, errno.EIO)  # EREMOTEIO is Linux's
    for name in (
        *("EIO", "EREMOTEIO", "ESTALE", "ETIMEDOUT", "ENOMEM", "EMFILE", "ENFILE", "ENETDOWN"),
        *("ENETUNREACH", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN", "ECONNRESET", "EACCES"),
    )
}
"""What the system says of a file today and may not tomorrow; the file itself may be good. EAGAIN
and the like are not among them: FFmpeg's demuxers say so of files that are damaged."""

REMEDY = "re-encode it with: ffmpeg -i IN -c:v libx264 OUT.mp4"
OTHER_FILE = "copy or record it again, or leave it out"


def open_video(path: Path) -> Any:
    """The file as an open av container.

    Raises BadInput: `unreadable_file` (may pass), `no_frames`, `corrupt_video`.
    """
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        return av.open(f"file:{path}", options=options)
    except av.EOFError:
        raise BadInput(
            "no_frames", f"{path}: ends before its first frame; use another file"
        ) from None
    except av.ArgumentError:  # a picture, a sound, a text that names other files …
        raise corrupt(path, "no container of videos that is read here", OTHER_FILE) from None
    except (av.FFmpegError, OSError, ValueError) as error:
        if path.is_file() and path.stat().st_size == 0:
            raise corrupt(path, "is empty", OTHER_FILE) from None
        raise unreadable(path, error, "no readable video", OTHER_FILE) from None


def unreadable(path: str | Path, error: Exception, what: str, remedy: str = REMEDY) -> BadInput:
    """The BadInput for what FFmpeg or the system said: a fault of the file, or one that may pass.

    `what` says what the file is then: "no readable video", "damaged after 12 good frames".
    """
    number = getattr(error, "errno", None)
    reason = getattr(error, "strerror", None) or str(error)
    if number in _PASSING or isinstance(error, IsADirectoryError):
        return BadInput(
            "unreadable_file",
            f"{path}: cannot be read ({reason}); name a readable file",
            final=False,
        )
    return corrupt(path, f"{what} ({reason})", remedy)


def corrupt(path: str | Path, what: str, remedy: str = REMEDY) -> BadInput:
    """`corrupt_video`: the file itself is damaged, or no video; `what` says how."""
    return BadInput("corrupt_video", f"{path}: {what}; {remedy}")


def main_stream(path: Path, container: Any, pictures: Mapping[int, int]) -> VideoStream:
    """The stream that is the film, by disposition, length and size.

    `pictures` counts those of each stream that the file names at its beginning. Raises BadInput
    (`no_video_stream`, `unsupported_codec`, `no_frames`).
    """
    streams: list[VideoStream] = [
        s
        for s in container.streams.video
        if s.index in pictures and not s.disposition & NOT_THE_FILM
    ]
    if not streams:
        raise BadInput(
            "no_video_stream", f"{path}: has no video stream; name a file with pictures in it"
        )
    streams = [s for s in streams if s.codec_context is not None]
    if not streams:
        raise BadInput("unsupported_codec", f"{path}: no decoder for its codec; {REMEDY}")
    longest = max(pictures[s.index] for s in streams)
    if longest == 0:
        raise BadInput("no_frames", f"{path}: holds no video frames; use another file")
    streams = [s for s in streams if pictures[s.index] >= LONG_ENOUGH * longest]
    largest = max(_pixels(s) for s in streams)
    streams = [s for s in streams if _pixels(s) >= LARGE_ENOUGH * largest]
    marked = [s for s in streams if s.disposition & Disposition.default]
    return (marked or streams)[0]


def decoding(container: Any, index: int) -> VideoStream:
    """The container's stream of that index, ready to decode."""
    stream: VideoStream = container.streams[index]
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = DECODE_THREADS
    return stream


def packets(container: Any, *streams: VideoStream) -> Iterator[Packet]:
    """The packets of these streams (or of all) in the file's order, then one of size 0 for each."""
    try:
        yield from container.demux(*streams)
    except IndexError:  # PyAV at the end of a file in which a stream appeared late
        return


def _pixels(stream: VideoStream) -> int:
    return int(stream.codec_context.width * stream.codec_context.height)


def is_complete(path: Path) -> bool:
    """Whether the file is as long as it says itself: Matroska's segment, AVI's first RIFF, or, in
    FLV, the length of the last tag behind it.

    False also where it does not say, as in other containers and in live recordings.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4096)
        if head[:4] == b"RIFF":
            length = int.from_bytes(head[4:8], "little")
            return 0 < length < 0xFFFFFFFF and size >= 8 + length
        if head[:3] == b"FLV":
            file.seek(max(0, size - 4))
            length = int.from_bytes(file.read(4), "big")
            file.seek(max(0, size - 4 - length))
            tag = file.read(4)  # its kind (sound, video, script), and its length without its head
            return tag[:1] in (b"\x08", b"\x09", b"\x12") and length == 11 + int.from_bytes(tag[1:])
        return _segment_is_complete(head, size)


def _segment_is_complete(head: bytes, size: int) -> bool:
    at = head.find(b"\x18\x53\x80\x67")  # the ID of Matroska's Segment, after the EBML head
    if head[:4] != b"\x1a\x45\xdf\xa3" or not 0 < at < len(head) - 12:
        return False
    octets = 9 - head[at + 4].bit_length()  # an EBML number: leading zeros tell its length
    if not 1 <= octets <= 8:
        return False
    mask = (1 << 7 * octets) - 1
    length = int.from_bytes(head[at + 4 : at + 4 + octets], "big") & mask
    return length != mask and size >= at + 4 + octets + length  # all ones: unknown
