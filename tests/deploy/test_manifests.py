"""The plain manifests: valid, complete, of no namespace, and without what only Helm means."""

from typing import Final

import kubernetes_validate
import pytest
import yaml

from deploy.charts import ROOT, Object, exporter_of, of_kind, only, pod_of, rendered

FOLDER: Final = ROOT / "deploy" / "kubernetes"
FILES: Final = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")


def _objects() -> list[Object]:
    return [yaml.safe_load((FOLDER / name).read_text(encoding="utf-8")) for name in FILES]


@pytest.mark.parametrize("name", FILES)
def test_file_is_valid(name: str) -> None:
    """Each file is one object that Kubernetes takes, in whatever namespace kubectl is given."""
    each = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    kubernetes_validate.validate(each, "1.37", strict=True)
    assert "namespace" not in each["metadata"]
    assert not {"helm.sh/chart", "app.kubernetes.io/managed-by"} & set(each["metadata"]["labels"])


def test_they_are_the_charts() -> None:
    """They are what the chart installs without any values, and `kubectl apply -k` applies all of them."""
    kinds = [(each["kind"], each["metadata"]["name"]) for each in rendered({}, name="driftgauge")]
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))

    assert sorted((each["kind"], each["metadata"]["name"]) for each in _objects()) == sorted(kinds)
    assert sorted(kustomization["resources"]) == FILES
    assert exporter_of(_objects()) == exporter_of(rendered({}, name="driftgauge"))


def test_services_select_the_pods() -> None:
    """The labels that were taken out are none that anything selects by."""
    labels = pod_of(_objects())["metadata"]["labels"].items()
    assert only(_objects(), "StatefulSet")["spec"]["selector"]["matchLabels"].items() <= labels
    for service in of_kind(_objects(), "Service"):
        assert service["spec"]["selector"].items() <= labels
