"""What a file is by its name: footage, a video that is not read, or something else."""

from __future__ import annotations

import mimetypes

DEMUXERS = {
    "mov,mp4,m4a,3gp,3g2,mj2": (
        ".mp4", ".m4v", ".mp4v", ".mov", ".qt", ".mqv", ".f4v", ".3gp", ".3gpp", ".3g2", ".3gp2",
        ".mj2", ".insv",
    ),
    "matroska,webm": (".mkv", ".mk3d", ".webm"),
    "avi": (".avi", ".divx"),
    "asf": (".wmv", ".asf", ".dvr-ms"),
    "wtv": (".wtv",),
    "flv": (".flv",),
    "ogg": (".ogv", ".ogm", ".ogx"),
    "rm": (".rm", ".rmvb"),
    "nut": (".nut",),
    "mpegts": (".ts", ".trp", ".tp", ".m2t", ".m2ts", ".mts", ".tod"),
    "mpeg": (".mpg", ".mpeg", ".mpe", ".m2p", ".vob", ".evo", ".mod"),
    "mpegvideo": (".m1v", ".m2v", ".mp2v", ".mpv", ".mpv2"),
    "mxf": (".mxf",),
    "gxf": (".gxf",),
    "dv": (".dv", ".dif"),
    "ivf": (".ivf",),
    "yuv4mpegpipe": (".y4m",),
    "gif": (".gif",),
    "h264": (".h264", ".264", ".avc"),
    "hevc": (".hevc", ".h265", ".265"),
    "vc1": (".vc1",),
    "mjpeg": (".mjpeg", ".mjpg"),
    "obu": (".obu",),
}  # fmt: skip
"""FFmpeg's names of the demuxers for ordinary footage, and the suffixes of what they read.

FFmpeg goes by what a file holds, so that one whose suffix is another one's here is read as well.
"""

FOOTAGE = frozenset(suffix for suffixes in DEMUXERS.values() for suffix in suffixes)

RAW = frozenset([".r3d", ".braw", ".ari", ".arx", ".crm", ".rmf", ".mlv", ".cine", ".nraw", ".nev"])
"""Camera raw: sensor data, to be developed in the camera maker's or a grading program."""

COMPANIONS = frozenset([".lrv", ".thm", ".lrf", ".glv"])
"""Small proxies and thumbnails that cameras write beside each recording."""

OTHER_VIDEO = frozenset(
    [
        ".dav", ".360", ".bik", ".bk2", ".smk", ".swf", ".amv", ".fli", ".flc", ".roq", ".ism",
        ".ismv", ".m4s", ".f4p", ".f4f", ".tivo", ".ty", ".pva", ".nuv", ".nsv",
    ]
)  # fmt: skip
"""Surveillance, game and streaming formats, which need their maker's tool or more than one file."""

_BY_TYPE = mimetypes.MimeTypes()  # Python's own table: the same on every machine


def unsupported(suffix: str) -> str:
    """Why a file of this lower-case suffix, a video by its name, is not read, with the remedy;
    empty if it is read or no video by its name."""
    if suffix in FOOTAGE:
        return ""
    if suffix in RAW:
        return "camera raw is not read; export it as MP4, ProRes or the like"
    if suffix in COMPANIONS:
        return "a camera's small companion of a recording is not footage; use the recording"
    kind = _BY_TYPE.guess_type(f"x{suffix}")[0] or ""
    if suffix in OTHER_VIDEO or kind.startswith("video/"):
        return f"{suffix} is not read; convert it with: ffmpeg -i IN -c:v libx264 OUT.mp4"
    return ""
