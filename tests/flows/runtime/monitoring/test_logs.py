"""What we log is heard although Prefect's logging is turned off: as lines, or as JSON that says
where it was logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest

from catalog.errors import EditmillError
from flows.runtime.monitoring import logs
from flows.runtime.orchestration import settings


@pytest.fixture(autouse=True)
def _lines_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(logs.VARIABLE, raising=False)
    yield
    monkeypatch.delenv(logs.VARIABLE, raising=False)
    logs.say("lines")


def test_a_warning_is_one_line_on_stderr_though_prefect_is_silent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(2):
        settings.apply("http://127.0.0.1:9/api")
    assert not logging.getLogger().isEnabledFor(logging.WARNING)
    log = logging.getLogger("editmill")
    log.warning("a mask was\nresized")
    log.info("a detail")
    assert capsys.readouterr().err == "a mask was resized\n"


def test_json_says_where_a_line_was_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.say("json")
    settings.apply("http://127.0.0.1:9/api")  # which keeps the layout
    library = logging.getLogger("editmill.remover")
    with logs.at(stage="edit", shard="8d2a"):
        library.info("a\nb")
        with logs.at(record="object_removal 3f9c"):
            try:
                raise ValueError("odd")
            except ValueError as error:
                library.error("it failed", exc_info=error, extra={"fields": {"seconds": 1.5}})
    library.debug("too fine")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert datetime.fromisoformat(first.pop("time")).utcoffset() is not None
    assert first == {
        "level": "info",
        "logger": "editmill.remover",
        "message": "a\nb",
        "stage": "edit",
        "shard": "8d2a",
    }
    assert (second["record"], second["seconds"]) == ("object_removal 3f9c", 1.5)
    assert second["exception"].endswith("ValueError: odd")


def test_the_environment_goes_before_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.VARIABLE, "json")
    logs.say("lines")
    assert logs.as_json()
    monkeypatch.setenv(logs.VARIABLE, "xml")
    with pytest.raises(EditmillError, match=r"EDITMILL_LOG=xml: .* use lines or json"):
        logs.say("lines")
