"""The flows that a Prefect server deploys: names, parameter schemas, runs in one process."""

import inspect
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

import catalog
from catalog import trained
from catalog.errors import EditmillError
from experts.diffusion.specs import TRAINABLE
from flows.runtime.orchestration.client import using
from flows.runtime.orchestration.server import OrchestrationServer
from flows.training.experts import flow as module
from flows.training.experts.flow import FLOWS, flow_of, train_remover
from tests.flows.tiny_training import write_base, write_catalog

FILE = "flows/training/experts/flow.py"

TINY: dict[str, Any] = {
    "expert": "remover",
    "stages": [
        {"height": 32, "width": 48, "frames": 9, "steps": 1, "batch_size": 2,
         "per_device_batch_size": 2, "learning_rate": 1e-3},
    ],
    "examples": {"per_clip": 1, "stride": 1},
    "precision": "fp32",
    "gradient_checkpointing": False,
    "dataloader_workers": 0,
    "data": {"held_out": 0.3, "max_area": 0.5},
    "evaluate": {"noise_levels": 1, "sampled": 0},
}  # fmt: skip


def test_each_expert_and_editor_has_a_module_level_flow() -> None:
    assert FLOWS.keys() == TRAINABLE.keys()
    for name, flow in FLOWS.items():
        assert getattr(module, f"train_{name}") is flow and flow.name == f"train-{name}"
        # Prefect runs a deployment from here.
        assert flow._entrypoint.split(":")[1] == f"train_{name}"
        assert f'_train("{name}", ' in inspect.getsource(flow.fn)
    with pytest.raises(EditmillError, match="'sora' is not known; use one of: global_stylizer"):
        flow_of("sora")


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_servers_page_shows_types_and_descriptions(name: str) -> None:
    flow: Flow[..., Any] = load_flow_from_entrypoint(f"{FILE}:train_{name}")
    assert flow.description and "Train " in flow.description
    schema = flow.parameters.model_dump()
    assert schema["required"] == ["catalog"]
    found = schema["properties"]
    assert list(found) == ["catalog", "ref", "config", "base"]
    assert (found["catalog"]["type"], found["catalog"].get("format")) == ("string", None)
    assert (found["ref"]["type"], found["ref"]["default"]) == ("string", "main")
    assert {"type": "null"} in found["base"]["anyOf"] and found["base"]["default"] is None
    for parameter in found.values():
        assert len(parameter["description"]) > 40


def test_a_flow_runs_again_in_one_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, base = str(write_catalog(tmp_path / "catalog").root), write_base(tmp_path / "base")
    config = tmp_path / "tiny.yaml"
    served = load_flow_from_entrypoint(f"{FILE}:train_remover")
    connection = OrchestrationServer(None).connect(threading.Event(), lambda line: None)
    with using(connection):
        config.write_text(yaml.safe_dump(TINY))
        first = train_remover(root, config=config, base=base)
        config.write_text(yaml.safe_dump(TINY | {"seed": 1}))
        # A deployment's parameters are JSON.
        parameters = json.loads(json.dumps({"catalog": root, "base": str(base)}))
        second = served(**parameters, config=str(config))
        again = served(**parameters, config=str(config))
    assert first.version != second.version and second == again
    assert {row.version for row in trained.versions(catalog.open(root), "remover")} == {
        first.version,
        second.version,
    }
    assert "step 1 of 1: loss" in capsys.readouterr().err
