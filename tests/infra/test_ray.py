"""The cluster file of `ray up`, as Ray itself checks it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private import util

FILE = Path(__file__).parents[2] / "infra" / "ray" / "cluster.yaml"


def test_ray_takes_the_cluster_file() -> None:
    config = yaml.safe_load(FILE.read_text())
    prepared = util.prepare_config(config)
    util.validate_config(prepared)
    assert prepared["max_workers"] == len(config["provider"]["worker_ips"])
    head = prepared["available_node_types"][prepared["head_node_type"]]
    assert head is not None


def test_ray_refuses_what_it_does_not_know() -> None:
    config = yaml.safe_load(FILE.read_text()) | {"worker_adresses": []}
    with pytest.raises(Exception, match="worker_adresses"):
        util.validate_config(util.prepare_config(config))
