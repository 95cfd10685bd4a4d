"""Two interlaced fields become one picture."""

from fractions import Fraction

import av
import numpy as np

from catalog.media import probe, read_video
from tests.catalog.media.written import BASE, mux, tagged, woven


def test_two_fields_become_one_picture(tmp_path):
    fields = woven(30)
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.options = {**BASE, "g": "10", "x264-params": "tff=1", "flags": "+ildct+ilme"}
        for k, rgb in enumerate(fields):
            out.mux(stream.encode(tagged(rgb, k).reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    whole = read_video(path)
    assert probe(path).notes == ("deinterlaced",)
    assert len(whole) == 30
    grey = whole[2:, 24:72].astype(int).mean(-1)
    one, two = np.abs(grey[:, 1:-1] - grey[:, 2:]).mean(), np.abs(grey[:, :-2] - grey[:, 2:]).mean()
    assert one < 0.8 * two + 0.5  # combed, neighbouring lines differ more than those two apart
    for first in (9, 10, 11, 25):  # a jump to a keyframe changes no picture
        np.testing.assert_array_equal(read_video(path, first, 3), whole[first : first + 3])


def test_fields_that_begin_late_become_pictures_too(tmp_path):
    still, fields = np.repeat(woven(1)[:, :1] * 0 + 90, 96, 1).repeat(10, 0), woven(20)
    path = tmp_path / "a.ts"
    made: list[av.Packet] = []
    for part, options in ((still, {}), (fields, {"x264-params": "tff=1", "flags": "+ildct+ilme"})):
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = 128, 96, "yuv420p"
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.options = {**BASE, "bf": "0", "g": "10", **options}
        first = len(made)
        for k, rgb in enumerate(part):
            made += context.encode(tagged(rgb, first + k).reformat(format="yuv420p"))
        made += context.encode(None)
    found = read_video(mux(path, made, fields))
    assert len(found) == 30
    grey = found[12:, 24:72].astype(int).mean(-1)
    one, two = np.abs(grey[:, 1:-1] - grey[:, 2:]).mean(), np.abs(grey[:, :-2] - grey[:, 2:]).mean()
    assert one < 0.8 * two + 0.5
