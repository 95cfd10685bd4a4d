"""Documents of a catalog that are not what they should be: one line, and never an empty catalog."""

import json

import pytest

import catalog
from catalog.errors import EditmillError
from catalog.keeping.forget import find
from tests.catalog.writers import SELECTION, clip, selected

RELEASE, CHOSEN = "releases/v1.json", f"selections/{SELECTION}.json"


@pytest.fixture
def root(tmp_path):
    made = selected(str(tmp_path))
    made.tables.put("clips", {"x": [clip("x")]})
    made.release("v1")
    return tmp_path


@pytest.mark.parametrize(
    ("key", "change"),
    [
        (RELEASE, {"created_at": None}),
        (RELEASE, {"tag": 7}),
        (RELEASE, {"tables": ["clips"]}),
        (RELEASE, {"without": "x"}),
        (RELEASE, {"of a newer version": 1}),
        (CHOSEN, {"recipe": 5}),
        (CHOSEN, {"of a newer version": 1}),
        ("main.json", {"selection": 5}),
    ],
)
def test_a_document_of_other_fields_or_types_is_damaged(root, key, change):
    document = json.loads((root / key).read_text())
    (root / key).write_text(json.dumps({**document, **change}))
    with pytest.raises(EditmillError, match=f"{key}: is damaged; restore it"):
        catalog.open(root).releases()


def test_a_document_of_a_forgotten_source_is_damaged(root):
    (root / "forgotten").mkdir()
    (root / "forgotten" / "ab.json").write_text("{}")
    with pytest.raises(EditmillError, match=r"forgotten/ab\.json: is damaged"):
        find(catalog.open(root).storage, "ab")


def test_main_is_not_empty_where_its_selection_is_lost(root):
    (root / CHOSEN).unlink()
    with pytest.raises(EditmillError, match=f"{CHOSEN}: is missing"):
        catalog.open(root)
    assert len(catalog.open(root, "v1").clips().collect()) == 1


def test_a_release_in_a_bucket_is_not_empty_where_its_table_is_lost(s3_uri):
    made = selected(s3_uri)
    made.tables.put("clips", {"x": [clip("x")]})
    made.release("v1")
    made.storage.delete([each.key for each in made.storage.list(f"tables/{SELECTION}/clips")])
    with pytest.raises(EditmillError, match="clips: is missing; restore it"):
        catalog.open(s3_uri, "v1").clips()


@pytest.mark.parametrize("name", ["with a blank", "Käse", "a#b", "a?b", "100%", "[x]"])
def test_a_prefix_in_a_bucket_may_have_any_name(s3_uri, name):
    made = selected(f"{s3_uri}/{name}")
    made.tables.put("clips", {"x": [clip("x")]})
    assert len(catalog.open(f"{s3_uri}/{name}").clips().collect()) == 1
    with pytest.raises(EditmillError, match="one slash"):
        catalog.open(f"{s3_uri}//{name}")
