"""A catalog of format 1 becomes one of the present format, and shows what it showed."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.keeping.upgrade import upgrade
from catalog.records import TABLES
from catalog.storage.folder import FolderStorage
from tests.catalog.keeping import format_1

REFS = ("main", "v1", "v2")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return format_1.write(tmp_path / "old")


def shown(root: Path) -> dict[str, dict[str, pl.DataFrame]]:
    """Every table at every ref; the trained experts apart, of which format 1 had no table."""
    return {
        ref: {
            table: catalog.open(root, ref).table(table).collect()
            for table in TABLES
            if table != "trained"
        }
        for ref in REFS
    }


def same(one: dict[str, dict[str, pl.DataFrame]], other: dict[str, dict[str, pl.DataFrame]]):
    return all(
        one[ref][table].equals(other[ref][table])
        and one[ref][table].schema == other[ref][table].schema
        for ref in REFS
        for table in one[ref]
    )


def files(root: Path) -> dict[str, bytes]:
    """All there is, but for the commits of `trained`, which tell their time."""
    found = {each.key: (root / each.key).read_bytes() for each in FolderStorage(root).list("")}
    return {key: data for key, data in found.items() if not key.startswith("tables/trained/")}


def test_every_ref_shows_the_same_rows(old: Path):
    before, tables = shown(old), sorted((old / "tables").rglob("*.parquet"))
    assert [len(before[ref]["clips"]) for ref in REFS] == [3, 1, 2]  # else nothing is compared
    done = upgrade(old)
    assert (done.before, done.releases, done.products) == (1, ["v1", "v2"], len(format_1.STAGES))
    assert catalog.open(old).format == 2
    assert same(before, shown(old))
    now = sorted(p for p in (old / "tables").rglob("*.parquet") if "trained" not in p.parts)
    assert now == tables  # nothing was rewritten


def test_releases_are_documents_of_the_selection_without_a_name(old: Path):
    upgrade(old)
    first = json.loads((old / "releases" / "v1.json").read_text())
    assert first["selection"] == "" and first["tables"] == format_1.FIRST
    shutil.rmtree(old / "tables" / "releases")
    assert [release.tag for release in catalog.open(old).releases()] == ["v1", "v2"]


def test_trained_experts_have_a_table_of_their_own(old: Path):
    done = upgrade(old)
    assert done.trained == ["remover@" + "a" * 12]
    assert catalog.open(old).tables.records("trained") == [format_1.expert("a" * 12)]
    assert trained.latest(catalog.open(old), "remover") == format_1.expert("a" * 12)


def test_the_next_build_finds_every_product(old: Path):
    upgrade(old)
    products = catalog.open(old).products
    for stage in format_1.STAGES:
        key = format_1.product_key(stage)
        assert products.get(stage, key) == {"made": stage}
        assert products.page(stage, "some-clip").get(key) == {"made": stage}
    assert (old / "work" / "status.json").exists()  # no products
    assert len(list((old / "work" / "previews").iterdir())) == 1


def test_the_second_time_nothing_is_to_be_done(old: Path):
    upgrade(old)
    before = files(old)
    again = upgrade(old)
    assert (again.before, again.releases, again.trained, again.products) == (2, [], [], 0)
    assert files(old) == before


def test_a_catalog_without_a_journal_gets_no_marker_of_one(old: Path):
    shutil.rmtree(old / "work")
    upgrade(old)
    assert not (old / "work").exists()


class Killed(BaseException):
    pass


class Mortal(FolderStorage):
    """Ends before its n-th change."""

    def __init__(self, root: Path, changes: int) -> None:
        super().__init__(root)
        self.changes = changes

    def _change(self) -> None:
        if self.changes == 0:
            raise Killed
        self.changes -= 1

    def write(self, key: str, data: bytes) -> None:
        self._change()
        super().write(key, data)

    def add_file(self, key: str, path: Path) -> None:
        self._change()
        super().add_file(key, path)


def test_killed_between_any_two_steps_it_goes_on(old: Path, tmp_path: Path):
    before = shown(old)
    whole = Path(shutil.copytree(old, tmp_path / "whole"))
    upgrade(whole)
    for changes in range(100):
        root = Path(shutil.copytree(old, tmp_path / f"killed-{changes}"))
        try:
            upgrade(Mortal(root, changes))
        except Killed:
            assert catalog.open(root).format == 1
            assert same(before, shown(root))  # it is read meanwhile
            with pytest.raises(EditmillError, match="editmill upgrade"):
                _ = catalog.open(root).products  # and written by nobody
            upgrade(root)
        else:
            break
        assert files(root) == files(whole)
        assert catalog.open(root).tables.records("trained") == [format_1.expert("a" * 12)]
    assert changes == len(format_1.STAGES) + 4  # two releases, the journal's marker, catalog.json


def test_a_damaged_table_is_refused_before_anything_changes(old: Path):
    (old / "tables" / "clips" / "_delta_log" / f"{1:020}.json").unlink()
    before = files(old)
    with pytest.raises(EditmillError, match="restore it from a copy"):
        upgrade(old)
    assert files(old) == before


def test_what_is_no_catalog_is_left_alone(tmp_path: Path):
    with pytest.raises(EditmillError, match="not a catalog"):
        upgrade(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
