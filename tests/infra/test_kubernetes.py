"""Kubernetes manifests against the API's schemas, and work pools as Prefect's worker reads them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import kubernetes_validate
import pytest
import yaml
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import FlowRun
from prefect.client.schemas.actions import WorkPoolCreate
from prefect_kubernetes.worker import KubernetesWorker, KubernetesWorkerJobConfiguration

INFRA = Path(__file__).parents[2] / "infra"
POOLS = [INFRA / "kubernetes" / name for name in ("work-pool.json", "work-pool-gpu.json")]
VERSIONS = ("1.30", "1.35")
"""Of Kubernetes: an old one that is still in use, and a new one."""


def _validate(manifest: dict[str, Any]) -> None:
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


def _documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((INFRA / "kubernetes" / name).read_text()))


def _unprivileged(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    for container in pod["containers"]:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("document", _documents("worker.yaml"), ids=lambda d: d["kind"])
def test_what_workers_need_is_valid(document: dict[str, Any]) -> None:
    _validate(document)
    if document["kind"] == "Deployment":
        _unprivileged(document["spec"]["template"]["spec"])


def _job(pool: Path, values: dict[str, Any]) -> dict[str, Any]:
    """The manifest that Prefect's worker gives to the cluster for a run with these job
    variables."""
    unasked = PrefectClient("http://127.0.0.1:9/api")  # it would be asked for blocks; none is named
    made = KubernetesWorkerJobConfiguration.from_template_and_values(
        json.loads(pool.read_text()), values, client=unasked
    )
    configuration = asyncio.run(made)
    configuration.prepare_for_flow_run(FlowRun(flow_id=uuid4(), name="night"))
    return configuration.job_manifest


@pytest.mark.parametrize("pool", POOLS, ids=lambda path: path.stem)
def test_a_pool_makes_valid_jobs_of_what_deployments_ask_for(pool: Path) -> None:
    manifest = _job(pool, {"image": "registry/editmill:1", "env": {"PYTHONSAFEPATH": "1"}})
    _validate(manifest)
    pod = manifest["spec"]["template"]["spec"]
    _unprivileged(pod)
    (container,) = pod["containers"]
    assert container["image"] == "registry/editmill:1"
    assert container["args"][:2] == ["prefect", "flow-run"]
    assert {"name": "PYTHONSAFEPATH", "value": "1"} in container["env"]
    gpus = container["resources"]["limits"].get("nvidia.com/gpu", 0)
    assert gpus == (1 if "gpu" in pool.stem else 0)
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }


@pytest.mark.parametrize("pool", POOLS, ids=lambda path: path.stem)
def test_a_pool_is_one_that_prefect_creates(pool: Path) -> None:
    template = json.loads(pool.read_text())
    WorkPoolCreate(name="editmill", type="kubernetes", base_job_template=template)
    usual = KubernetesWorker.get_default_base_job_template()["job_configuration"]
    assert set(template["job_configuration"]) <= set(usual)
    asked = set(template["variables"]["properties"])
    used = {
        word.split(" }}")[0] for word in json.dumps(template["job_configuration"]).split("{{ ")[1:]
    }
    assert used == asked  # none is offered that nothing uses, none used that is not offered


def test_the_ray_clusters_pods_are_valid() -> None:
    (cluster,) = _documents("ray-cluster.yaml")
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    spec = cluster["spec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    for group in groups:
        pod = group["template"]["spec"]
        _validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, "spec": pod})
        _unprivileged(pod)
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for group in groups
        for volume in group["template"]["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    made = {d["metadata"]["name"] for d in _documents("worker.yaml") if "Claim" in d["kind"]}
    assert claims == made
