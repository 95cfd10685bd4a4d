"""No garbage is looked for during an import, and afterwards it is again."""

import gc

import pytest

from flows.commands.importing import importing


def test_it_is_looked_for_again_also_where_an_import_fails() -> None:
    assert gc.isenabled()
    with importing():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()
