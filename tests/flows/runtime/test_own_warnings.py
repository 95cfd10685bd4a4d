"""Warnings of ours are heard although Prefect's logging is turned off."""

from __future__ import annotations

import logging

import pytest

from flows.runtime.orchestration import settings


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
