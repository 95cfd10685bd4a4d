"""Datasets as the `datasets` library makes and reads them."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from datasets import Dataset, Features, Value, Video, load_dataset

from catalog.errors import BadInput, EditmillError
from catalog.validated import validated
from flows.sources.huggingface import DatasetSources
from flows.sources.source import Listing, RemoteVideo
from tests.flows.sources.lists.answers import Kept

Find = Callable[..., Listing[RemoteVideo]]


@pytest.fixture
def find(tmp_path: Path) -> Find:
    def found(**given: object) -> Listing[RemoteVideo]:
        section = validated(DatasetSources, {"kind": "datasets", **given}, "recipe.yaml")
        return section.find(Kept(tmp_path / "catalog"))

    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "cats"
    made.mkdir()
    return made


def contents(listing: Listing[RemoteVideo], folder: Path) -> list[bytes]:
    read = []
    for video in listing.files:
        video.address.download(folder / "fetched", lambda: None)
        read.append((folder / "fetched").read_bytes())
    return read


def as_datasets_reads(path: Path, column: str, cache: Path) -> list[bytes]:
    """The videos that `datasets` itself finds there."""
    rows = load_dataset(str(path), split="train", cache_dir=str(cache))
    rows = rows.cast_column(column, Video(decode=False))
    return [row["bytes"] or Path(row["path"]).read_bytes() for row in rows[column]]


def test_a_table_may_have_a_column_of_any_name(
    folder: Path, clips: list[bytes], find: Find
) -> None:
    (folder / "0.mp4").write_bytes(clips[0])
    (folder / "metadata.csv").write_text("#,file_name\n7,0.mp4\n", encoding="utf-8")
    found = find(path=str(folder), licence="mine", columns={"author": "#"})
    assert [(video.name, video.author) for video in found.files] == [("0.mp4", "7")]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_video_folder_is_read_as_datasets_reads_it(
    suffix: str, folder: Path, clips: list[bytes], find: Find, tmp_path: Path
) -> None:
    (folder / "train" / "deep").mkdir(parents=True)
    names = ["0.mp4", "deep/1.mp4", "2.mp4"]
    for name, clip in zip(names, clips, strict=True):
        (folder / "train" / name).write_bytes(clip)
    rows = {"file_name": names, "licence": ["CC0", None, "CC-BY-4.0"], "author": ["Ann", "Bo", ""]}
    frame = pl.DataFrame(rows)
    path = folder / "train" / f"metadata.{suffix}"
    write = {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}
    write[suffix](path)
    found = find(path=str(folder), licence="mine")
    assert [(v.name, v.uri, v.licence, v.author) for v in found.files] == [
        ("train/0.mp4", "cats/train/0.mp4", "CC0", "Ann"),
        ("train/deep/1.mp4", "cats/train/deep/1.mp4", "mine", "Bo"),
        ("train/2.mp4", "cats/train/2.mp4", "CC-BY-4.0", ""),
    ]
    assert contents(found, tmp_path) == as_datasets_reads(folder, "video", tmp_path / "cache")


def parquet(path: Path, clips: list[bytes], **columns: list[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {"clip": [{"bytes": clip, "path": f"{i}.webm"} for i, clip in enumerate(clips)]}
    kinds = {"clip": Video(decode=False), **dict.fromkeys(columns, Value("string"))}
    Dataset.from_dict({**rows, **columns}, features=Features(kinds)).to_parquet(str(path))


def test_videos_inside_parquet_files_are_read_as_datasets_reads_them(
    folder: Path, clips: list[bytes], find: Find, tmp_path: Path
) -> None:
    parquet(folder / "data" / "train-00000-of-00002.parquet", clips[:2], rights=["CC0", None])
    parquet(folder / "data" / "train-00001-of-00002.parquet", clips[2:], rights=["CC-BY-4.0"])
    found = find(path=str(folder), columns={"licence": "rights"}, licence="mine")
    assert [(v.name, v.licence) for v in found.files] == [
        ("data/train-00000-of-00002/000000", "CC0"),
        ("data/train-00000-of-00002/000001", "mine"),
        ("data/train-00001-of-00002/000000", "CC-BY-4.0"),
    ]
    assert contents(found, tmp_path) == as_datasets_reads(folder, "clip", tmp_path / "cache")
    some = find(path=str(folder / "data" / "*-00001-*.parquet"))
    assert contents(some, tmp_path) == clips[2:]


def test_a_row_far_down_in_many_row_groups(folder: Path, find: Find, tmp_path: Path) -> None:
    videos = [b"video %d" % i for i in range(100)]
    frame = pl.DataFrame({"video": [{"bytes": v, "path": None} for v in videos]})
    frame.write_parquet(folder / "a.parquet", row_group_size=7)
    assert contents(find(path=str(folder)), tmp_path) == videos


def test_a_column_of_paths_is_relative_to_the_dataset(
    folder: Path, clips: list[bytes], find: Find, tmp_path: Path
) -> None:
    (folder / "videos").mkdir()
    (folder / "data").mkdir()
    for i, clip in enumerate(clips):
        (folder / "videos" / f"{i}.mp4").write_bytes(clip)
    paths = ["videos/0.mp4", "../videos/1.mp4", str(folder / "videos" / "2.mp4")]
    pl.DataFrame({"path": paths}).write_parquet(folder / "data" / "all.parquet")
    found = find(path=str(folder), columns={"video": "path"})
    assert contents(found, tmp_path) == [clips[0], clips[2]]  # no `..`, wherever it leads
    assert "1 path outside of the dataset" in found.notes[0]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret.mp4", "a/../../secret.mp4", "", None, "none.mp4", "a"]
)
def test_a_path_that_leads_elsewhere_is_left_out(
    path: str | None, folder: Path, find: Find, tmp_path: Path
) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (folder / "a").mkdir()
    (folder / "0.mp4").write_bytes(b"video")
    rows = [{"file_name": path}, {"file_name": "0.mp4"}]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = find(path=str(folder))
    assert contents(found, tmp_path) == [b"video"]
    assert found.notes[0].startswith(f"Left out of {folder}: 1 ")


def test_a_cell_that_names_a_file_obeys_the_same_rules(
    folder: Path, find: Find, tmp_path: Path
) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (folder / "0.mp4").write_bytes(b"video")
    paths = ["0.mp4", "../secret.mp4", str(tmp_path / "secret.mp4"), None]
    kinds = {"video": pl.Struct({"bytes": pl.Binary, "path": pl.String})}
    cells = [{"bytes": None, "path": path} for path in paths]
    pl.DataFrame({"video": cells}, schema=kinds).write_parquet(folder / "a.parquet")
    inside, *others = find(path=str(folder)).files
    inside.address.download(tmp_path / "fetched", lambda: None)
    assert (tmp_path / "fetched").read_bytes() == b"video"
    for video in others:
        with pytest.raises(BadInput) as error:
            video.address.download(tmp_path / "other", lambda: None)
        assert error.value.final
        assert not (tmp_path / "other").exists()


def test_a_snapshot_of_the_hub_links_to_its_blobs(
    tmp_path: Path, clips: list[bytes], find: Find
) -> None:
    """huggingface_hub keeps a dataset's files elsewhere, under their digests."""
    snapshot, blobs = tmp_path / "snapshots" / "abc", tmp_path / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "d1").write_bytes(clips[0])
    (snapshot / "0.mp4").symlink_to("../../blobs/d1")
    (snapshot / "metadata.csv").write_text("file_name\n0.mp4\n")
    assert contents(find(path=str(snapshot)), tmp_path) == clips[:1]


def test_a_damaged_parquet_file_is_final_for_its_rows(
    folder: Path, find: Find, tmp_path: Path
) -> None:
    path = folder / "a.parquet"
    videos = [{"bytes": bytes([i]) * 50_000, "path": "a.mp4"} for i in range(2)]
    frame = pl.DataFrame({"video": videos})
    frame.write_parquet(path, row_group_size=1, compression="zstd")
    data = bytearray(path.read_bytes())
    data[4:60] = b"\xff" * 56  # the first pages
    path.write_bytes(data)
    first, second = find(path=str(folder)).files
    with pytest.raises(BadInput) as error:
        first.address.download(tmp_path / "fetched", lambda: None)
    assert error.value.final and error.value.reason == "unreadable_file"
    second.address.download(tmp_path / "fetched", lambda: None)
    assert (tmp_path / "fetched").read_bytes() == videos[1]["bytes"]


@pytest.mark.parametrize(
    ("columns", "asked", "says"),
    [
        ({"text": ["a"]}, {}, "has no column of videos, only text"),
        ({"text": ["a"]}, {"video": "clip"}, "has no column of videos 'clip', only text"),
        ({"number": [1]}, {"video": "number"}, "neither paths nor videos"),
        ({"a_file_name": ["a"], "b_file_name": ["b"]}, {}, "several columns of videos"),
        ({"file_name": ["a.mp4"]}, {"licence": "rights"}, "has no column 'rights'"),
    ],
)
def test_a_column_that_is_not_there_is_told(
    columns: dict[str, list[object]], asked: dict[str, str], says: str, folder: Path, find: Find
) -> None:
    pl.DataFrame(columns).write_parquet(folder / "a.parquet")
    with pytest.raises(EditmillError) as error:
        find(path=str(folder), columns=asked)
    assert says in str(error.value) and "columns" in str(error.value)


def test_a_feature_of_a_video_folder_is_found_by_its_name(
    folder: Path, clips: list[bytes], find: Find, tmp_path: Path
) -> None:
    """As editmill's own export has it: `source_video_file_name`, `target_video_file_name`."""
    for i, clip in enumerate(clips):
        (folder / f"{i}.mp4").write_bytes(clip)
    row = "source_video_file_name,target_video_file_name\n0.mp4,1.mp4\n"
    (folder / "metadata.csv").write_text(row)
    for column, clip in (("source_video", clips[0]), ("target_video_file_name", clips[1])):
        found = find(path=str(folder), columns={"video": column})
        assert contents(found, tmp_path) == [clip]


def test_a_folder_named_from_within_is_the_same_dataset(
    folder: Path, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "0.mp4").write_bytes(b"video")
    (folder / "metadata.csv").write_text("file_name\n0.mp4\n")
    whole = find(path=str(folder)).files
    monkeypatch.chdir(folder)
    assert find(path=".").files == whole
    assert whole[0].uri == "cats/0.mp4"


@pytest.mark.parametrize("name", ["", "nowhere", "no.parquet"])
def test_what_is_no_dataset_is_told(name: str, folder: Path, find: Find) -> None:
    (folder / "0.mp4").touch()
    with pytest.raises(EditmillError) as error:
        find(path=str(folder / name))
    assert "no dataset" in str(error.value)
