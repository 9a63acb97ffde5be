"""deploy/kubernetes against the operator's own definitions and Kubernetes' schemas; not run.

Needs `pip install dask-kubernetes kubernetes-validate`, and is left out without them.
"""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

FOLDER = Path(__file__).parents[2] / "deploy/kubernetes"
OBJECTS = [
    each for path in sorted(FOLDER.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())
]
DASK = [each for each in OBJECTS if "dask.org" in each["apiVersion"]]
DEFINITIONS = "operator/deployment/helm/dask-kubernetes-operator/crds"


def pods() -> list[dict[str, Any]]:
    (cluster,) = DASK
    jobs = [each["spec"]["template"]["spec"] for each in OBJECTS if each["kind"] == "Job"]
    return [cluster["spec"][role]["spec"] for role in ("scheduler", "worker")] + jobs


def test_pods_are_confined_and_see_no_authority() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_all_run_the_same_image_over_tls() -> None:
    assert len({pod["containers"][0]["image"] for pod in pods()}) == 1
    arguments = " ".join(argument for pod in pods() for argument in pod["containers"][0]["args"])
    assert "tls://" in arguments
    assert "tcp://" not in arguments


@pytest.mark.parametrize("found", DASK, ids=lambda each: each["kind"])
def test_the_operators_definitions_take_it(found: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    spec = importlib.util.find_spec("dask_kubernetes")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("needs dask-kubernetes")
    package = Path(spec.submodule_search_locations[0])
    definition = yaml.safe_load((package / DEFINITIONS / "daskcluster.yaml").read_text())
    (version,) = definition["spec"]["versions"]
    jsonschema.validate(found, version["schema"]["openAPIV3Schema"])


@pytest.mark.parametrize(
    "found", [each for each in OBJECTS if each not in DASK], ids=lambda each: each["kind"]
)
def test_kubernetes_takes_it(found: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    named = {**found, "metadata": {"name": "made", **found["metadata"]}}
    validate.validate(named, "1.30", strict=True)
