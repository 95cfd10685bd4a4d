"""A chat server that answers by a script, and is asked again without much waiting."""

from collections.abc import Iterator

import openai
import pytest

from tests.experts.write.chat_server import Fake


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)
    running = Fake()
    yield running
    running.http.shutdown()
    running.http.server_close()
