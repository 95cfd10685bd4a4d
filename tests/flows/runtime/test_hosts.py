"""A server of footage that is away is left alone for the rest of a build."""

from __future__ import annotations

import pytest

from catalog.errors import BadInput
from flows.runtime.servers.hosts import Hosts
from flows.sources.http import NoUsableAnswer, Unavailable


def fail(hosts: Hosts, host: str, error: BadInput) -> str:
    """What asking says when the download fails so."""
    with pytest.raises(BadInput) as caught, hosts.asking(host):
        raise error
    return str(caught.value)


def test_a_host_that_is_away_is_not_asked_again_and_the_others_are() -> None:
    told: list[str] = []
    hosts = Hosts(told.append, away_after=2)
    away = NoUsableAnswer("a.example: status 503")
    assert "503" in fail(hosts, "a.example", away)
    assert told == []
    assert "503" in fail(hosts, "a.example", away)
    (line,) = told
    assert line.startswith("a.example did not answer for 2 videos in a row")
    asked: list[int] = []
    refused = pytest.raises(Unavailable, match="next build asks again")
    with refused as caught, hosts.asking("a.example"):
        asked.append(1)
    assert not asked and not caught.value.final
    with hosts.asking("b.example"):
        asked.append(1)
    assert asked and len(told) == 1


@pytest.mark.parametrize("error", [None, BadInput("gone", "a.example: answered 404")])
def test_only_failures_in_a_row_count(error: BadInput | None) -> None:
    told: list[str] = []
    hosts = Hosts(told.append, away_after=2)
    for _ in range(3):
        fail(hosts, "a.example", NoUsableAnswer("a.example: status 503"))
        if error is None:
            with hosts.asking("a.example"):
                pass
        else:
            fail(hosts, "a.example", error)
    assert told == []
