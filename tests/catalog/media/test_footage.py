"""Of a user's folder only video is read, and what it does to a reader is told."""

from pathlib import Path

import av
import pytest

from catalog.errors import BadInput
from catalog.media import probe, read_video
from tests.catalog.media.written import levels


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile 'good.mp4'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\ngood.mp4\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    ],
)
def test_a_text_that_names_other_files_is_no_video(write, scene, text):
    good = write("good.mp4", scene(3, 80, 96))
    path = good.with_name("a.mov")
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        probe(path)
    assert caught.value.reason == "corrupt_video"
    assert caught.value.final


@pytest.mark.parametrize("name", ["12:30:05.mp4", "http:x.mp4", "pipe:0.mp4", b"caf\xe9.mp4"])
def test_a_name_is_a_name_and_no_address(write, scene, monkeypatch, name):
    import os

    path = write("good.mp4", scene(3, 80, 96))
    monkeypatch.chdir(path.parent)
    named = Path(os.fsdecode(name))
    path.rename(named)
    assert probe(named).frames == 3


@pytest.mark.usefixtures("in_process")
def test_what_may_pass_is_told_from_what_stays(tmp_path, monkeypatch):
    import errno

    path = tmp_path / "a.mp4"
    path.write_bytes(b"x" * 1000)

    def hiccup(*_args, **_kwargs):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(av, "open", hiccup)
    with pytest.raises(BadInput) as caught:
        probe(path)
    assert (caught.value.reason, caught.value.final) == ("unreadable_file", False)


@pytest.mark.usefixtures("in_process")
def test_a_picture_that_fills_the_memory_is_refused(write, scene, monkeypatch):
    from catalog.media.demux import index

    monkeypatch.setattr(index, "MAX_PIXELS", 5000)
    with pytest.raises(BadInput, match="too large"):
        probe(write("a.mp4", scene(2, 80, 96)))


def test_a_codec_without_a_decoder_is_named(write, scene):
    path = write("a.mp4", scene(3, 80, 96))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(BadInput) as caught:
        probe(path)
    assert caught.value.reason == "unsupported_codec"


@pytest.mark.usefixtures("in_process")
def test_where_seeking_fails_all_is_decoded(write, numbered, monkeypatch):
    from catalog.media import reading

    path = write("a.mkv", numbered(40), options={"g": "5"})

    class Unseekable:
        def __init__(self, container):
            self._container = container

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._container.close()

        def __getattr__(self, name):
            return getattr(self._container, name)

        def seek(self, *_args, **_kwargs):
            raise OSError("no index")

    opened = reading.open_video
    monkeypatch.setattr(reading, "open_video", lambda path: Unseekable(opened(path)))
    assert levels(read_video(path, 3, 4, 9)) == [3, 12, 21, 30]


@pytest.mark.usefixtures("in_process")
def test_consecutive_frames_are_decoded_without_a_seek(write, numbered, monkeypatch):
    from catalog.media import reading

    path = write("a.mkv", numbered(40), options={"g": "5"})
    sought = []
    seek = reading._keyframe_to_seek
    monkeypatch.setattr(
        reading, "_keyframe_to_seek", lambda *a: sought.append(seek(*a)) or sought[-1]
    )
    assert levels(read_video(path, 0, 40)) == list(range(40))
    assert set(sought) == {-1}
    read_video(path, 20, 3)
    assert max(sought) > 0
