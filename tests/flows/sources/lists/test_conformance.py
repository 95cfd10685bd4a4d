"""What every kind of source that reads a list must do."""

import dataclasses
import hashlib
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
import yaml
from datasets import Dataset, Features, Value, Video

from catalog.errors import BadInput, EditmillError
from catalog.storage.access import s3_access
from catalog.storage.objects import s3_store
from flows.recipe import parse
from flows.sources import listing
from flows.sources.bucket import BucketSources
from flows.sources.huggingface import DatasetSources
from flows.sources.rounds import ListSection
from flows.sources.source import RemoteVideo
from flows.sources.tar_shards import TarSources
from flows.sources.urls import UrlSources
from tests.flows.sources.lists.answers import Kept, Stop
from tests.flows.sources.lists.file_server import FileServer
from tests.flows.sources.lists.tars import tar_of

HOSTS = ("127.0.0.1",)


@dataclass
class Case:
    """A section over three videos, and what can happen to the place that the second comes from."""

    section: ListSection
    change: Callable[[], None]
    remove: Callable[[], None]
    changed: str = "changed_file"
    changed_for_good: bool = False  # a link with a checksum, whose file is another


@dataclass
class Surroundings:
    """Where a case is made: a folder, a server, a bucket (made when asked for)."""

    folder: Path
    server: FileServer
    clips: list[bytes]
    request: pytest.FixtureRequest

    def bucket(self) -> tuple[str, Any]:
        """A prefix in a bucket, and the store of that prefix."""
        uri = str(self.request.getfixturevalue("s3_uri"))
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        return uri, s3_store(bucket, prefix, s3_access(), 10)


def links(at: Surroundings) -> Case:
    rows = []
    for i, clip in enumerate(at.clips):
        at.server.files[f"/{i}.mp4"] = clip
        rows.append({"url": f"{at.server.url}/{i}.mp4", "sha256": _sha256(clip)})
    pl.DataFrame(rows).write_csv(at.folder / "links.csv")
    section = UrlSources(kind="urls", files=str(at.folder / "links.csv"), hosts=HOSTS)
    return Case(
        section,
        change=lambda: at.server.files.update({"/1.mp4": at.clips[0]}),
        remove=lambda: at.server.files.pop("/1.mp4") and None,
        changed="other_content",
        changed_for_good=True,
    )


def _shards(at: Surroundings) -> list[bytes]:
    samples = [[(f"{i}.mp4", clip), (f"{i}.txt", b"a caption")] for i, clip in enumerate(at.clips)]
    return [tar_of(samples[0]), tar_of(samples[1] + samples[2])]


def local_tars(at: Surroundings) -> Case:
    paths = [at.folder / f"shard-{i}.tar" for i in range(2)]
    for path, data in zip(paths, _shards(at), strict=True):
        path.write_bytes(data)
    return Case(
        TarSources(kind="webdataset", shards=str(at.folder / "shard-{0..1}.tar")),
        change=lambda: paths[1].write_bytes(tar_of([("1.mp4", at.clips[0])])) and None,
        remove=paths[1].unlink,
    )


def linked_tars(at: Surroundings) -> Case:
    for i, data in enumerate(_shards(at)):
        at.server.files[f"/shard-{i}.tar"] = data
    other = tar_of([("1.mp4", at.clips[0])])
    return Case(
        TarSources(kind="webdataset", shards=f"{at.server.url}/shard-{{0..1}}.tar", hosts=HOSTS),
        change=lambda: at.server.files.update({"/shard-1.tar": other}),
        remove=lambda: at.server.files.pop("/shard-1.tar") and None,
    )


def stored_tars(at: Surroundings) -> Case:
    uri, store = at.bucket()
    for i, data in enumerate(_shards(at)):
        obstore.put(store, f"shard-{i}.tar", data)
    other = tar_of([("1.mp4", at.clips[0])])
    return Case(
        TarSources(kind="webdataset", shards=f"{uri}/shard-*.tar"),
        change=lambda: obstore.put(store, "shard-1.tar", other) and None,
        remove=lambda: obstore.delete(store, "shard-1.tar"),
    )


def objects(at: Surroundings) -> Case:
    uri, store = at.bucket()
    for i, clip in enumerate(at.clips):
        obstore.put(store, f"some/{i}.mp4", clip)
    return Case(
        BucketSources(kind="s3", uri=uri),
        change=lambda: obstore.put(store, "some/1.mp4", at.clips[0]) and None,
        remove=lambda: obstore.delete(store, "some/1.mp4"),
    )


def video_folder(at: Surroundings) -> Case:
    names = [f"{i}.mp4" for i in range(3)]
    for name, clip in zip(names, at.clips, strict=True):
        (at.folder / name).write_bytes(clip)
    rows = "".join(json.dumps({"file_name": name}) + "\n" for name in names)
    (at.folder / "metadata.jsonl").write_text(rows)
    return Case(
        DatasetSources(kind="datasets", path=str(at.folder)),
        change=lambda: (at.folder / "1.mp4").write_bytes(at.clips[0] + b"\0") and None,
        remove=(at.folder / "1.mp4").unlink,
    )


def parquet_dataset(at: Surroundings) -> Case:
    path = at.folder / "train.parquet"

    def write(some: list[bytes]) -> None:
        rows = [{"video": {"bytes": clip, "path": "a.mp4"}, "licence": "CC0"} for clip in some]
        kinds = Features({"video": Video(decode=False), "licence": Value("string")})
        Dataset.from_list(rows, features=kinds).to_parquet(str(path))

    write(at.clips)
    return Case(
        DatasetSources(kind="datasets", path=str(at.folder)),
        change=lambda: write(at.clips[:2]),
        remove=path.unlink,
    )


CASES = [
    links, local_tars, linked_tars, stored_tars, objects, video_folder, parquet_dataset,
]  # fmt: skip


@pytest.fixture(params=CASES, ids=lambda case: case.__name__)
def case(
    request: pytest.FixtureRequest, tmp_path: Path, server: FileServer, clips: list[bytes]
) -> Case:
    folder = tmp_path / "place"
    folder.mkdir()
    made: Case = request.param(Surroundings(folder, server, clips, request))
    return made


@pytest.fixture
def answers(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "catalog")


def go_on() -> None:
    pass


def test_every_video_is_listed_in_order(case: Case, answers: Kept) -> None:
    found = case.section.find(answers)
    assert not found.incomplete
    assert len({video.name for video in found.files}) == 3
    assert len({video.identity for video in found.files}) == 3
    assert [video.name for video in found.files] == sorted(video.name for video in found.files)


def test_it_is_listed_the_same_again(case: Case, answers: Kept, tmp_path: Path) -> None:
    first = case.section.find(answers)
    assert case.section.find(Kept(tmp_path / "catalog")) == first  # with its answers
    assert case.section.find(Kept(tmp_path / "another")) == first  # without


def test_each_build_adds_its_portion(case: Case, answers: Kept, tmp_path: Path) -> None:
    every = case.section.find(answers).files
    section = case.section.model_copy(update={"per_build": 1, "limit": 2})
    for round, count in ((1, 1), (1, 1), (2, 2), (3, 2)):
        found = section.find(Kept(tmp_path / "catalog", round)).files
        assert found == every[:count]


def test_a_download_has_exactly_the_bytes(
    case: Case, answers: Kept, clips: list[bytes], tmp_path: Path
) -> None:
    found = case.section.find(answers).files
    assert fetched(found, tmp_path) == clips


def test_an_address_is_small_and_another_process_may_use_it(
    case: Case, answers: Kept, clips: list[bytes], tmp_path: Path
) -> None:
    data = pickle.dumps(case.section.find(answers).files)
    assert len(data) < 3 * 2000
    assert fetched(pickle.loads(data), tmp_path) == clips


def test_no_path_of_this_machine_and_no_secret_is_in_what_is_kept(
    case: Case, answers: Kept, tmp_path: Path
) -> None:
    found = case.section.find(answers)
    kept = json.dumps(answers.documents) + "".join(v.uri + v.identity + v.name for v in found.files)
    assert str(tmp_path) not in kept
    assert all(video.uri for video in found.files)


def test_a_listing_obeys_a_stop(case: Case, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        case.section.find(Kept(tmp_path / "catalog", stop=0))


def test_a_download_obeys_a_stop_and_leaves_nothing(
    case: Case, answers: Kept, tmp_path: Path
) -> None:
    def stop() -> None:
        raise Stop

    video = case.section.find(answers).files[1]
    there = set(tmp_path.iterdir())
    with pytest.raises(Stop):
        video.address.download(tmp_path / "video.mp4", stop)
    assert set(tmp_path.iterdir()) == there


def test_what_was_changed_since_is_refused(case: Case, answers: Kept, tmp_path: Path) -> None:
    video = case.section.find(answers).files[1]
    case.change()
    with pytest.raises(BadInput) as error:
        video.address.download(tmp_path / "video.mp4", go_on)
    assert error.value.reason == case.changed
    assert error.value.final is case.changed_for_good
    assert not (tmp_path / "video.mp4").exists()


def test_what_is_gone_is_refused_for_good(case: Case, answers: Kept, tmp_path: Path) -> None:
    video = case.section.find(answers).files[1]
    case.remove()
    with pytest.raises(BadInput) as error:
        video.address.download(tmp_path / "video.mp4", go_on)
    assert error.value.final
    assert not (tmp_path / "video.mp4").exists()


def test_what_is_too_large_is_refused_for_good(
    case: Case, answers: Kept, tmp_path: Path, clips: list[bytes]
) -> None:
    video = case.section.find(answers).files[1]
    address: Any = video.address
    bounded = dataclasses.replace(address, most_bytes=len(clips[1]) - 1)
    with pytest.raises(BadInput) as error:
        bounded.download(tmp_path / "video.mp4", go_on)
    assert error.value.reason == "too_large" and error.value.final
    assert not (tmp_path / "video.mp4").exists()


def test_a_section_says_where_nothing_is(case: Case, answers: Kept, tmp_path: Path) -> None:
    name = {"urls": "files", "webdataset": "shards", "s3": "uri", "datasets": "path"}
    kind = case.section.model_dump()["kind"]
    empty = case.section.model_copy(update={name[kind]: _without(case.section, name[kind])})
    with pytest.raises(EditmillError) as error:
        empty.find(answers)
    assert "correct the recipe" in str(error.value) or "so no dataset" in str(error.value)


def test_where_nothing_is_any_more_the_other_sections_are_listed(
    case: Case, answers: Kept, tmp_path: Path, server: FileServer, clips: list[bytes]
) -> None:
    name = {"urls": "files", "webdataset": "shards", "s3": "uri", "datasets": "path"}
    kind = case.section.model_dump()["kind"]
    if kind == "s3":  # an empty prefix is no list that is gone
        return
    gone = case.section.model_copy(update={name[kind]: _without(case.section, name[kind])})
    (tmp_path / "other.csv").write_text(f"url\n{server.url}/other.mp4\n")
    other = UrlSources(kind="urls", files=str(tmp_path / "other.csv"), hosts=HOSTS)
    found = listing([gone, other], answers)
    assert [file.section for file in found.files] == [other]
    assert found.incomplete  # so that what it gave before stays
    (note,) = found.notes
    assert note.endswith("what earlier builds found by it stays") and "\n" not in note
    for sections in ([gone], [gone, gone]):
        with pytest.raises(EditmillError):
            listing(sections, answers)


def test_its_outlook_counts_what_lies_on_this_machine_and_asks_nobody(
    case: Case, tmp_path: Path, server: FileServer
) -> None:
    before = list(server.requests)
    section = case.section.model_copy(update={"per_build": 2})
    line = section.outlook()
    assert "each build adds up to 2" in line and "\n" not in line
    elsewhere = "://" in section.places()[0]
    assert ("was not asked" in line) == elsewhere
    assert ("names 3 videos" in line) == (not elsewhere)
    assert server.requests == before


def test_a_recipe_describes_it_and_a_build_lists_it(
    case: Case, answers: Kept, clips: list[bytes], tmp_path: Path
) -> None:
    given = case.section.model_dump(mode="json", exclude_defaults=True)
    given |= {"labels": ["cat"], "per_source": 2, "max_frames": 64}
    recipe = {"name": "some", "sources": [given], "plan": {"weights": {"deblur": 1}}}
    (section,) = parse(yaml.safe_dump(recipe), "some.yaml").sources
    found = listing([section], answers).files
    assert [video.section.labels for video in found] == [("cat",)] * 3
    assert fetched([v for v in found if isinstance(v, RemoteVideo)], tmp_path) == clips


def fetched(videos: list[RemoteVideo], folder: Path) -> list[bytes]:
    contents = []
    for i, video in enumerate(videos):
        path = folder / f"fetched {i}{video.suffix}"
        video.address.download(path, go_on)
        contents.append(path.read_bytes())
    return contents


def _without(section: ListSection, name: str) -> str:
    """The place of the section, one door further on, where nothing is."""
    place = str(getattr(section, name))
    if place.startswith("http"):
        return "/nowhere/{0..1}.tar"
    return place.rpartition("/")[0] + "/nowhere/" + place.rpartition("/")[2]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
