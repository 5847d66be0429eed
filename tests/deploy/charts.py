"""The Helm chart as tests see it: what it renders for values, as objects, parsed as strictly as Kubernetes does."""

import base64
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import helm_python
import yaml

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "deploy" / "helm" / "driftgauge"
SETUPS: Final = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
OPERATOR: Final = {
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "dashboards": {"enabled": True},
}

Object = dict[str, Any]


class _Strict(yaml.CSafeLoader):
    """Refuses a key that comes twice, as Kubernetes does and PyYAML does not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's
        keys = [key.value for key, _ in node.value]
        assert len(set(keys)) == len(keys), f"twice in one mapping: {keys}"
        return super().construct_mapping(node, deep=deep)


@cache
def values_of(setup: str) -> Mapping[str, Any]:
    """Return the values of a file in ci/."""
    text = (CHART / "ci" / f"{setup}-values.yaml").read_text(encoding="utf-8")
    return helm_python.values_from_yaml(text)


@cache
def chart() -> helm_python.Chart:
    """Return the chart, loaded once."""
    return helm_python.Chart.load(CHART)


def texts(
    values: Mapping[str, Any], *, name: str = "demo", of: helm_python.Chart | None = None, **options: Any
) -> dict[str, str]:
    """Return what each template renders."""
    return (of or chart()).render(dict(values), name=name, namespace="monitoring", **options)


def rendered(values: Mapping[str, Any], **options: Any) -> list[Object]:
    """Return the objects that Helm would install."""
    return [
        document
        for path, text in texts(values, **options).items()
        if path.endswith(".yaml")
        for document in yaml.load_all(text, Loader=_Strict)
        if document
    ]


@cache
def setup_objects(setup: str) -> list[Object]:
    """Return the objects of a file in ci/, rendered once."""
    return rendered(values_of(setup))


def own(objects: list[Object]) -> list[Object]:
    """Return the chart's own objects: those of `extraManifests` are the user's."""
    return [each for each in objects if each["metadata"].get("labels", {}).get("app.kubernetes.io/part-of")]


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """Return the objects of a kind."""
    return [each for each in objects if each["kind"] == kind]


def only(objects: list[Object], kind: str) -> Object:
    """Return the only object of a kind."""
    (found,) = of_kind(objects, kind)
    return found


def pod_of(objects: list[Object]) -> Object:
    """Return what a pod of the StatefulSet is."""
    template: Object = only(objects, "StatefulSet")["spec"]["template"]
    return template


def exporter_of(objects: list[Object]) -> Object:
    """Return the container of the exporter."""
    (found,) = [each for each in pod_of(objects)["spec"]["containers"] if each["name"] == "driftgauge"]
    container: Object = found
    return container


def secrets_of(objects: list[Object]) -> Iterator[tuple[str, str]]:
    """Yield keys and values of the Secrets, decoded."""
    for secret in of_kind(objects, "Secret"):
        for key, value in secret["data"].items():
            yield key, base64.b64decode(value).decode()
