"""Whatever a video does to its decoder, this process lives, learns the reason and reads on."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

import catalog
from catalog.errors import BadInput
from catalog.media import iter_frames, probe, read_masks, read_video, write_masks
from catalog.media.isolation import limits as bounds
from catalog.media.isolation.limits import DecodingLimits, DecodingMeter
from catalog.media.isolation.pool import DecodingPool
from catalog.media.isolation.shared import FEWEST_SLOTS, Memory, Slots
from catalog.media.reading import FrameRequest, Reading

ROOT = str(Path(catalog.__file__).parents[1])


@pytest.fixture
def pool():
    """`pool(limit=…)`: decoding processes with these limits, ended behind the test."""
    made: list[DecodingPool] = []

    def make(**limits) -> DecodingPool:
        made.append(DecodingPool(DecodingLimits(**limits)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def pid(pool: DecodingPool) -> int:
    """Of the pool's only process."""
    (process,) = [*pool._idle, *pool._busy]
    return process.pid


def refused(read) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read()
    assert "\n" not in str(caught.value)
    return caught.value


def gone(process: int) -> bool:
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(condition, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize(
    "request_",
    [
        FrameRequest("", 3, 20, 2),
        FrameRequest("", size=(40, 50)),
        FrameRequest("", evenly=7, long_side=48),
        FrameRequest("", masks=True),
        FrameRequest("", size=(27, 48), sample=(5, 64)),
    ],
)
def test_frames_are_those_that_this_process_decodes(write, scene, request_):
    request = dataclasses.replace(request_, path=str(write("a.mp4", scene(90, 80, 96))))
    pool = DecodingPool()
    try:
        ours, theirs = list(Reading(request)), list(pool.opened(request))
        assert len(ours) == len(theirs) > 0
        for mine, other in zip(ours, theirs, strict=True):
            assert len(mine) == len(other)
            for a, b in zip(mine, other, strict=True):
                np.testing.assert_array_equal(a, b)
        whole = pool.opened(request).read()
        assert whole.dtype == (bool if request.masks else np.uint8)
        np.testing.assert_array_equal(whole, Reading(request).read())
    finally:
        pool.close()


def test_a_kept_frame_stays_as_it_is(write, numbered, pool):
    path = write("a.mkv", numbered(40), codec="ffv1", pix_fmt="gray")
    kept = [
        frame for (frame,) in pool().opened(FrameRequest(str(path)))
    ]  # more than there are slots
    assert [int(frame[0, 0, 0]) for frame in kept] == [20 + 5 * k for k in range(40)]
    kept[0][:] = 0  # and is its holder's own
    assert kept[1].all()


def test_a_slot_is_free_when_the_last_view_of_it_is_gone():
    memory = Memory.made(FEWEST_SLOTS * 4096)
    slots = Slots(memory, [(8, 8, 3), (4, 4)])
    (frame, sample) = slots.lent(0, 2)
    row = frame[2, ::-1]
    assert (frame.shape, sample.shape, slots.in_use) == ((8, 8, 3), (4, 4), 1)
    del frame, sample
    assert slots.in_use == 1 and slots.released() == []
    del row
    assert slots.in_use == 0 and slots.released() == [0]
    memory.close()


@pytest.mark.parametrize(
    ("number", "reason", "final"),
    [
        (signal.SIGSEGV, "decoder_crash", True),
        (signal.SIGABRT, "decoder_crash", True),
        (signal.SIGXCPU, "decode_limit", True),
        (signal.SIGKILL, "decoder_killed", False),
    ],
)
def test_a_decoder_that_dies_takes_only_its_video_along(write, scene, pool, number, reason, final):
    path = write("a.mp4", scene(200, 80, 96))
    pool = pool()
    reading = pool.opened(FrameRequest(str(path)))
    next(reading)
    os.kill(pid(pool), number)
    error = refused(lambda: list(reading))
    assert (error.reason, error.final) == (reason, final)
    assert str(path) in str(error)
    assert len(pool.opened(FrameRequest(str(path))).read()) == 200


def test_one_that_says_nothing_is_ended(write, scene, pool):
    path = write("a.mp4", scene(200, 80, 96))
    pool = pool(silence=5.0)
    reading = pool.opened(FrameRequest(str(path)))
    next(reading)
    stopped = pid(pool)
    for process in pool._busy:
        process._child.channel._socket.settimeout(0.3)
    os.kill(stopped, signal.SIGSTOP)
    error = refused(lambda: list(reading))
    assert (error.reason, error.final) == ("decode_stalled", False)
    assert gone(stopped)


def test_too_many_packets(write, numbered, pool):
    path = write("a.mp4", numbered(30))
    error = refused(lambda: pool(packets=20).opened(FrameRequest(str(path))))
    assert error.reason == "decode_limit" and "more than 20 packets" in str(error)
    assert pool(packets=40).opened(FrameRequest(str(path))).count == 30


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit address space")
def test_too_much_memory(tmp_path, write, numbered, pool):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 8000, 7000, "yuv420p"
        frame = av.VideoFrame(8000, 7000, "yuv420p")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    pool = pool(memory=900 << 20)
    error = refused(lambda: pool.opened(FrameRequest(str(path))).read())
    assert error.reason == "decode_limit"
    assert "memory" in str(error) or "MiB" in str(error)
    spent = pid(pool)
    assert pool.opened(FrameRequest(str(write("b.mp4", numbered(5))))).read().shape[0] == 5
    assert pid(pool) != spent, "what is left of its memory is in pieces"


SPIN = """
import resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from catalog.media.isolation.limits import METER, DecodingLimits
METER.hold(DecodingLimits(stall=1), lambda: None)
METER.begin("a.mp4")
while True:
    pass
"""


def test_a_packet_that_takes_forever_ends_the_process():
    env = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run([sys.executable, "-c", SPIN], env=env, timeout=200)
    assert done.returncode == -signal.SIGXCPU


def test_a_reading_that_takes_forever(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(bounds.time, "process_time", lambda: now[0])
    monkeypatch.setattr(bounds.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(bounds, "_bound", lambda *_: None)
    beats: list[float] = []
    meter = DecodingMeter()
    meter.hold(DecodingLimits(seconds=10), lambda: beats.append(now[0]))
    meter.begin("a.mp4")
    error = None
    for number in range(1, 100):
        now[0] += 0.25
        try:
            meter.packet(number)
        except BadInput as caught:
            error = caught
            break
    assert error is not None and error.reason == "decode_limit" and 10 < now[0] <= 11.5
    assert len(beats) == 10


def test_abandoned_readings_give_their_process_back(write, scene, pool):
    path = write("a.mp4", scene(200, 80, 96))
    pool = pool()
    for _ in range(5):
        next(pool.opened(FrameRequest(str(path))))
    pool.opened(FrameRequest(str(path)))
    assert len(pool.opened(FrameRequest(str(path))).read()) == 200
    assert pool._busy == set() and len(pool._idle) == 1


def test_many_at_once(write, numbered):
    path, expected = write("a.mp4", numbered(30)), [20 + 5 * k for k in range(30)]

    def read(_: int) -> bool:
        pairs = zip(iter_frames(path), iter_frames(path), strict=True)
        return all(
            abs(int(a.mean()) - level) <= 3 and np.array_equal(a, b)
            for (a, b), level in zip(pairs, expected, strict=True)
        )

    with ThreadPoolExecutor(2) as threads:
        assert all(threads.map(read, range(6)))


def test_masks_are_bool(tmp_path):
    masks = np.random.default_rng(0).random((3, 64, 72)) < 0.5
    write_masks(tmp_path / "m.mkv", masks, 25)
    found = read_masks(tmp_path / "m.mkv")
    assert found.dtype == bool
    np.testing.assert_array_equal(found, masks)


def test_a_large_process_keeps_a_small_decoder(write, numbered, pool):
    path, pool = write("a.mp4", numbered(5)), pool()
    held = np.ones(700 << 20, np.uint8)
    pool.opened(FrameRequest(str(path))).read()
    first = pid(pool)
    assert 20 << 20 < pool._idle[0].used < 500 << 20
    pool.opened(FrameRequest(str(path))).read()
    assert pid(pool) == first
    assert held[0]


def test_no_secret_reaches_the_decoder(write, numbered, pool, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    pool = pool()
    pool.opened(FrameRequest(str(write("a.mp4", numbered(3))))).read()
    assert "s3cret" not in str(psutil.Process(pid(pool)).environ())


SANDBOXED = """
import os, socket, subprocess
from catalog.media.isolation.sandbox import give_up_network_and_programs
ours, theirs = socket.socketpair()
held = give_up_network_and_programs()
print(held)
def refused(call):
    try:
        call()
    except PermissionError:
        return True
    return False
print(refused(lambda: socket.socket()))
print(refused(lambda: subprocess.run(["/bin/true"])))
ours.send(b"still")
print(theirs.recv(9) == b"still", open(os.devnull).read() == "")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_a_sandboxed_process_reaches_no_network_and_starts_no_program():
    env = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, "-c", SANDBOXED]
    printed = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    if printed.startswith("False"):
        pytest.skip("seccomp is switched off here")
    assert printed.split() == ["True"] * 5


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_a_decoder_is_sandboxed(write, numbered, pool):
    pool = pool()
    pool.opened(FrameRequest(str(write("a.mp4", numbered(3))))).read()
    status = Path(f"/proc/{pid(pool)}/status").read_text()
    if "Seccomp:\t0" in status:
        pytest.skip("seccomp is switched off here")
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status


def test_a_fork_reads_for_itself(write, numbered):
    path = write("a.mp4", numbered(30))
    frames = iter_frames(path)
    next(frames)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if len(read_video(path)) == 30 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(frames)) == 29


def test_a_fork_that_ends_a_reading_closes_nothing_of_its_own(write, numbered):
    frames = iter_frames(write("a.mp4", numbered(30)))
    next(frames)
    child = os.fork()
    if child == 0:
        try:
            own = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]  # what was closed is free
            frames.close()
            for descriptor in own:
                os.fstat(descriptor)
            os._exit(0)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(frames)) == 29


PARENT = """
import sys, time
from catalog.media import iter_frames
from catalog.media.isolation.pool import _pool
frames = iter_frames(sys.argv[1])
next(frames)
print(*(process.pid for process in _pool._busy), flush=True)
if len(sys.argv) == 2:
    time.sleep(600)
"""


@pytest.mark.parametrize("killed", [True, False])
def test_no_decoder_outlives_its_parent(write, scene, killed):
    path = str(write("a.mp4", scene(200, 80, 96)))
    command = [sys.executable, "-c", PARENT, path, *([] if killed else ["end"])]
    env = {**os.environ, "PYTHONPATH": ROOT}
    parent = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    decoder = int(parent.stdout.readline())
    if killed:
        parent.kill()
    assert parent.wait(60) == (-signal.SIGKILL if killed else 0)
    assert until(lambda: gone(decoder))


def test_a_decoder_that_is_not_for_footage_is_not_used(tmp_path, scene):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("asv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
        for picture in scene(3, 80, 96):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    assert refused(lambda: probe(path)).reason == "unsupported_codec"


def test_a_path_with_a_null_byte_is_no_path():
    assert refused(lambda: probe("a\0.mp4")).reason == "missing_file"
