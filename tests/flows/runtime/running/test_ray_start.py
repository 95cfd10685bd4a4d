"""A Ray cluster that does not start: tried again on this machine, and named in a line."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from flows.recipe import parse
from flows.runtime.running.runner import runner_for

ray = pytest.importorskip("ray")

RECIPE = """
name: tiny
sources: [{{kind: folder, path: v}}]
plan: {{weights: {{deblur: 1}}}}
run: {{runner: ray{more}}}
"""


@pytest.mark.parametrize(
    ("more", "failures", "told"),
    [
        ("", 2, ""),
        ("", 9, r"^run\.runner: Ray does not start .* \(too slow and more\); .* `runner: threads`"),
        (", ray_address: 'ray://head:1'", 1, "no Ray cluster answers at ray://head:1 .too slow"),
    ],
)
def test_a_cluster_is_started_again_or_named(
    monkeypatch: pytest.MonkeyPatch, more: str, failures: int, told: str
) -> None:
    tried: list[object] = []

    def init(*given: object, **_: object) -> None:
        tried.append(given)
        if len(tried) <= failures:
            raise Exception("too slow\nand more")  # as Ray does

    monkeypatch.setenv("PREFECT_API_URL", "http://server:4200/api")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "nodes", list)
    tasks = runner_for(parse(RECIPE.format(more=more), "tiny"), 2).tasks
    if told:
        with pytest.raises(EditmillError, match=told):
            tasks.__enter__()
    else:
        assert tasks.__enter__() is tasks
    assert len(tried) == (1 if more else 3)


def test_an_address_at_which_nothing_answers_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://server:4200/api")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    recipe = parse(RECIPE.format(more=f", ray_address: '127.0.0.1:{port}'"), "tiny")
    with pytest.raises(EditmillError, match=rf"answers at 127.0.0.1:{port} .*refused"):
        runner_for(recipe, 2).tasks.__enter__()


def test_what_a_failed_start_left_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = shutil.which("sleep") or "/bin/sleep"
    started = [tmp_path / name for name in ("raylet", "server")]
    for program in started:
        shutil.copy(sleep, program)
    left, other = (subprocess.Popen([program, "600"]) for program in started)

    def init(*_: object, **__: object) -> None:
        raise Exception("too slow")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    try:
        with pytest.raises(EditmillError):
            runner_for(parse(RECIPE.format(more=""), "tiny"), 2).tasks.__enter__()
        assert left.wait(10) == -9 and other.poll() is None
    finally:
        left.kill()
        other.kill()
