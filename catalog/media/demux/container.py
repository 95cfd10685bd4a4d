"""Opening a video file safely, and choosing the stream that a player shows.

FFmpeg chooses the demuxer by a file's content, and some demuxers read text that refers to other
files or addresses (playlists, ffconcat, SDP). Therefore only self-contained formats are allowed,
and only the protocol `file`; naming the protocol also allows colons in file names.
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
from catalog.media.isolation.limits import LIMIT, METER

FORMATS = (
    "mov,matroska,avi,mpeg,mpegts,mpegvideo,mxf,gxf,asf,asf_o,flv,live_flv,ogg,gif,apng,dv,nut,"
    "ivf,rm,yuv4mpegpipe,wtv,dhav,h261,h263,h264,hevc,vvc,av1,obu,m4v,mjpeg,vc1,vc1test,dirac,"
    "cavsvideo"
)
"""FFmpeg's names of the demuxers that may be used: containers and raw streams of video."""

CODECS = (
    "h264,hevc,vvc,av1,libdav1d,vp8,vp9,libvpx,libvpx-vp9,mpeg1video,mpeg2video,mpegvideo,mpeg4,"
    "msmpeg4v1,msmpeg4v2,msmpeg4,wmv1,wmv2,wmv3,vc1,h261,h263,h263i,h263p,flv,flashsv,flashsv2,"
    "vp3,vp4,vp5,vp6,vp6a,vp6f,vp7,theora,dirac,snow,cavs,rv10,rv20,rv30,rv40,rv60,svq1,svq3,"
    "cinepak,indeo2,indeo3,indeo4,indeo5,rpza,smc,qtrle,msvideo1,msrle,mjpeg,mjpegb,jpeg2000,"
    "jpegls,prores,prores_raw,dnxhd,cfhd,dvvideo,hap,dxv,notchlc,speedhq,apv,ffv1,ffvhuff,"
    "huffyuv,utvideo,magicyuv,lagarith,fraps,rawvideo,yuv4,v210,v210x,v308,v408,v410,r10k,r210,"
    "avrp,y41p,cljr,zlib,mszh,zmbv,camtasia,camstudio,tscc2,g2m,screenpresso,mss1,mss2,gif,png,"
    "apng,tiff"
)
"""FFmpeg's names of the decoders that may be used: of cameras, editing programs, screen recorders
and the web. The two hundred others are for games and stills, and few look for their faults. None
is for sound, which FFmpeg would decode to learn its format."""

DECODE_THREADS = 2
"""Decoder threads of each open video. Two shards run side by side on the smallest supported
machine, which has two cores, so more threads would only compete."""

NOT_MAIN_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
"""Dispositions of cover art and chapter pictures."""
MIN_LENGTH_SHARE = 0.5
"""Share of the longest video stream's frames: a stream with fewer is a cover or a slide."""

MIN_PIXELS_SHARE = 0.5
"""Share of the largest video stream's pixels per frame: a stream with fewer is a preview."""

_TRANSIENT = {
    getattr(errno, name, errno.EIO)  # EREMOTEIO is Linux's
    for name in (
        *("EIO", "EREMOTEIO", "ESTALE", "ETIMEDOUT", "EMFILE", "ENFILE", "ENETDOWN"),
        *("ENETUNREACH", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN", "ECONNRESET", "EACCES"),
    )
}
"""Error numbers of failures that may be over at the next attempt; the file itself may be good.
EAGAIN is not one of them, since FFmpeg's demuxers return it for damaged files."""

REMEDY = "re-encode it with: ffmpeg -i IN -c:v libx264 OUT.mp4"
REMEDY_OTHER_FILE = "copy or record it again, or leave it out"


def open_video(path: Path) -> Any:
    """The file as an open av container.

    Raises BadInput: `unreadable_file` (not final), `no_frames`, `corrupt_video`.
    """
    options = {
        "format_whitelist": FORMATS,
        "protocol_whitelist": "file",
        "codec_whitelist": CODECS,
    }
    try:
        return av.open(f"file:{path}", options=options)
    except av.EOFError:
        raise BadInput(
            "no_frames", f"{path}: ends before its first frame; use another file"
        ) from None
    except av.ArgumentError:  # an image, audio, a playlist …
        raise corrupt(path, "no container of videos that is read here", REMEDY_OTHER_FILE) from None
    except (av.FFmpegError, OSError, ValueError) as error:
        if path.is_file() and path.stat().st_size == 0:
            raise corrupt(path, "is empty", REMEDY_OTHER_FILE) from None
        raise unreadable(path, error, "no readable video", REMEDY_OTHER_FILE) from None


def unreadable(path: str | Path, error: Exception, what: str, remedy: str = REMEDY) -> BadInput:
    """The BadInput for an error of FFmpeg or the system: `corrupt_video`, or `unreadable_file` (not
    final) if the error is a transient one.

    `what` describes the file in the first case: "damaged after 12 good frames".
    """
    number = getattr(error, "errno", None)
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, MemoryError):
        return BadInput(LIMIT, f"{path}: takes too much memory to be decoded; scale it down")
    if number in _TRANSIENT or isinstance(error, IsADirectoryError):
        return BadInput(
            "unreadable_file",
            f"{path}: cannot be read ({reason}); name a readable file",
            final=False,
        )
    return corrupt(path, f"{what} ({reason})", remedy)


def corrupt(path: str | Path, what: str, remedy: str = REMEDY) -> BadInput:
    """The BadInput `corrupt_video` for a file that is damaged or no video, as `what` describes."""
    return BadInput("corrupt_video", f"{path}: {what}; {remedy}")


def main_stream(path: Path, container: Any, frame_counts: Mapping[int, int]) -> VideoStream:
    """The video stream to read, chosen by disposition, length and size.

    `frame_counts`: number of frames by stream index, of the streams in the file's header. Raises
    BadInput (`no_video_stream`, `unsupported_codec`, `no_frames`).
    """
    streams: list[VideoStream] = [
        s
        for s in container.streams.video
        if s.index in frame_counts and not s.disposition & NOT_MAIN_VIDEO
    ]
    if not streams:
        raise BadInput(
            "no_video_stream", f"{path}: has no video stream; name a file with pictures in it"
        )
    streams = [s for s in streams if s.codec_context is not None]
    streams = [s for s in streams if s.codec_context.codec.name in CODECS.split(",")]
    if not streams:
        raise BadInput("unsupported_codec", f"{path}: its codec is not read here; {REMEDY}")
    longest = max(frame_counts[s.index] for s in streams)
    if longest == 0:
        raise BadInput("no_frames", f"{path}: holds no video frames; use another file")
    streams = [s for s in streams if frame_counts[s.index] >= MIN_LENGTH_SHARE * longest]
    largest = max(_pixels(s) for s in streams)
    streams = [s for s in streams if _pixels(s) >= MIN_PIXELS_SHARE * largest]
    marked = [s for s in streams if s.disposition & Disposition.default]
    return (marked or streams)[0]


def open_stream(container: Any, index: int) -> VideoStream:
    """The container's stream of that index, set up for decoding with :data:`DECODE_THREADS`."""
    stream: VideoStream = container.streams[index]
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = DECODE_THREADS
    return stream


def packets(container: Any, *streams: VideoStream) -> Iterator[Packet]:
    """The packets of these streams (default: all) in file order, then an empty one of each."""
    try:
        for number, packet in enumerate(container.demux(*streams), start=1):
            METER.packet(number)
            yield packet
    except (
        IndexError
    ):  # PyAV raises it at the end of a file that has streams missing from its header
        return


def _pixels(stream: VideoStream) -> int:
    return int(stream.codec_context.width * stream.codec_context.height)


def is_complete(path: Path) -> bool:
    """Whether the file has the length that its own structure states: Matroska's segment size, AVI's
    first RIFF size, or the length behind FLV's last tag.

    False also where no length is stated, as in other containers and in live recordings.
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
            tag = file.read(4)  # type (audio, video, script) and length of the body
            return tag[:1] in (b"\x08", b"\x09", b"\x12") and length == 11 + int.from_bytes(tag[1:])
        return _segment_is_complete(head, size)


def _segment_is_complete(head: bytes, size: int) -> bool:
    start = head.find(b"\x18\x53\x80\x67")  # the ID of Matroska's Segment, after the EBML header
    if head[:4] != b"\x1a\x45\xdf\xa3" or not 0 < start < len(head) - 12:
        return False
    octets = 9 - head[start + 4].bit_length()  # an EBML number starts with its length in zeros
    if not 1 <= octets <= 8:
        return False
    mask = (1 << 7 * octets) - 1
    length = int.from_bytes(head[start + 4 : start + 4 + octets], "big") & mask
    return length != mask and size >= start + 4 + octets + length  # all ones: unknown
