"""Keys and file digests."""

import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import BadInput
from catalog.keys import digest, file_digest

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_key_never_changes():
    # Keys name products on disk: another value here would make every catalog build anew.
    assert digest("inpaint", {"seed": 1, "size": [336, 592]}) == "3759cce0b0e4b27103e7f8d1b2b4350c"


def test_order_of_a_mapping_does_not_matter_but_that_of_parts_does():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest("a", "b") != digest("b", "a")
    assert digest("ab") != digest("a", "b")


def test_kinds_differ():
    assert len({digest(x) for x in (1, 1.0, "1", True, [1], None)}) == 6


@given(json_values)
def test_form(value):
    key = digest(value)
    assert len(key) == 32 and set(key) <= set("0123456789abcdef")


@pytest.mark.parametrize(("value", "error"), [(math.nan, ValueError), (object(), TypeError)])
def test_what_has_no_key(value, error):
    with pytest.raises(error):
        digest(value)


def test_file_digest(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    assert file_digest(path) == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    with pytest.raises(BadInput):
        file_digest(tmp_path / "none")
