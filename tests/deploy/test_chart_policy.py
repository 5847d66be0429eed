"""What no set-up of the chart may do: run with more rights than it needs, leak a secret, or block its own upgrade."""

import base64
import gzip
import json
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import helm_python
import pytest
import yaml

from deploy.charts import (
    CHART,
    OPERATOR,
    SETUPS,
    Object,
    exporter_of,
    of_kind,
    only,
    own,
    pod_of,
    rendered,
    secrets_of,
    setup_objects,
    texts,
    values_of,
)

RECOMMENDED: Final = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}
# What Kubernetes lets nobody change in a StatefulSet is all but these.
CHANGEABLE: Final = {
    "replicas",
    "template",
    "updateStrategy",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
    "revisionHistoryLimit",
    "ordinals",
}
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_RELEASE: Final = "r" * 53


@pytest.mark.parametrize("setup", SETUPS)
def test_pods_have_no_rights(setup: str) -> None:
    """Pods meet the restricted standard of Kubernetes, without a token and without the node's files or networks."""
    pod = pod_of(setup_objects(setup))["spec"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    # Otherwise a Service of the name driftgauge would set DRIFTGAUGE_PORT and the like, which are flags of ours.
    assert pod["enableServiceLinks"] is False
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, container["name"]
        assert context.get("privileged", False) is False, container["name"]
        assert context["readOnlyRootFilesystem"] is True, container["name"]
        assert context["capabilities"] == {"drop": ["ALL"]}, container["name"]
    assert all(
        account["automountServiceAccountToken"] is False for account in of_kind(setup_objects(setup), "ServiceAccount")
    )


@pytest.mark.parametrize("setup", SETUPS)
def test_resources_are_set(setup: str) -> None:
    """Each container says what it needs and what it may take."""
    pod = pod_of(setup_objects(setup))["spec"]
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        for bound in ("requests", "limits"):
            assert set(container["resources"][bound]) >= {"cpu", "memory"}, (container["name"], bound)


@pytest.mark.parametrize("setup", SETUPS)
def test_what_is_written_has_its_place(setup: str) -> None:
    """The root is read-only, so state and temporary files have volumes, with bounds; everything mounted exists."""
    spec = only(setup_objects(setup), "StatefulSet")["spec"]
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())]
    volumes = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in exporter_of(setup_objects(setup))["volumeMounts"]}

    assert {mount["name"] for mount in mounts.values()} <= {*claims, *volumes}
    writable = {path for path, mount in mounts.items() if not mount.get("readOnly")}
    assert writable == {"/var/lib/driftgauge", "/tmp"}  # noqa: S108 - in a container of its own
    for volume in volumes.values():
        assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": None})


@pytest.mark.parametrize("setup", SETUPS)
def test_recommended_labels(setup: str) -> None:
    """Each object, and each pod, has the labels that Kubernetes recommends."""
    objects = own(setup_objects(setup))
    assert len(objects) >= len(setup_objects(setup)) - 1
    for each in (*objects, pod_of(objects)):
        assert set(each["metadata"]["labels"]) >= RECOMMENDED
        for value in each["metadata"]["labels"].values():
            assert len(value) <= 63


@pytest.mark.parametrize("values", [OPERATOR, values_of("tls-basic-auth"), values_of("minimal")])
@pytest.mark.parametrize("release", ["demo", "driftgauge", _LONGEST_RELEASE, f"{'r' * 43}-{'x' * 9}"])
def test_names_fit(values: Mapping[str, Any], release: str) -> None:
    """Names are ones of DNS, and so is what Kubernetes makes of them: labels of revisions, names of pods."""
    objects = rendered(values, name=release)
    names = [each["metadata"]["name"] for each in objects]

    assert len({(each["kind"], each["metadata"]["name"]) for each in objects}) == len(objects)
    for name in names:
        assert len(name) <= 63
        assert _NAME.fullmatch(name), name
    # `<name>-<hash of ten>` is a label, `<name>-<ordinal>` the name of a pod.
    assert len(only(objects, "StatefulSet")["metadata"]["name"]) <= 63 - len("-0123456789")


@pytest.mark.parametrize("setup", SETUPS)
def test_secrets_are_in_secrets(setup: str) -> None:
    """No value of a Secret is anywhere else, plain or encoded, and no address has a password in it."""
    objects = setup_objects(setup)
    secret = {value for _, text in secrets_of(objects) for value in (text, *_hashes(text))}
    elsewhere = json.dumps([each for each in objects if each["kind"] != "Secret"])

    for value in secret - {"driftgauge"}:
        assert value not in elsewhere
        assert base64.b64encode(value.encode()).decode() not in elsewhere
    assert not re.search(r"://[^/@\s]*:[^$/@\s][^/@\s]*@", elsewhere)


def _hashes(text: str) -> Iterator[str]:
    yield from re.findall(r"\$2[aby]\$\S+", text)


def test_secrets_are_looked_for_in_something() -> None:
    """Some set-ups have passwords and hashes, so the test above sees some."""
    found = [text for setup in SETUPS for _, text in secrets_of(setup_objects(setup))]
    assert any("$2b$" in text for text in found)
    assert "12345" in found


@pytest.mark.parametrize("setup", SETUPS)
def test_secrets_exist(setup: str) -> None:
    """Each Secret and ConfigMap that a pod names is rendered, or one that the values name."""
    objects, given = setup_objects(setup), json.dumps(values_of(setup))
    made = {(each["kind"], each["metadata"]["name"]) for each in objects}

    for kind, name in _named(pod_of(objects)["spec"]):
        assert (kind, name) in made or json.dumps(name) in given, (kind, name)


def _named(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for each in node:
            yield from _named(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("secretRef", "secretKeyRef"):
                yield "Secret", value["name"]
            elif key == "secret":
                yield "Secret", value["secretName"]
            elif key in ("configMap", "configMapRef", "configMapKeyRef"):
                yield "ConfigMap", value["name"]
            else:
                yield from _named(value)


@pytest.fixture(scope="module")
def next_version(tmp_path_factory: pytest.TempPathFactory) -> Iterator[helm_python.Chart]:
    """Return the chart as a later version of itself."""
    folder = tmp_path_factory.mktemp("next") / "driftgauge"
    shutil.copytree(CHART, folder)
    about = yaml.safe_load((folder / "Chart.yaml").read_text(encoding="utf-8"))
    (folder / "Chart.yaml").write_text(
        yaml.safe_dump({**about, "version": "9.9.9", "appVersion": "9.9.9"}), encoding="utf-8"
    )
    with helm_python.Chart.load(folder) as later:
        yield later


# What people change in a release that runs.
CHANGES: Final[dict[str, Mapping[str, Any]]] = {
    "nothing": {},
    "shards": {"shards": 5},
    "labels": {"commonLabels": {"a": "b"}, "podLabels": {"c": "d"}, "annotations": {"e": "f"}},
    "configuration": {"config": {"windows": ["1h"]}},
    "image": {"image": {"tag": "9.9.9"}, "global": {"imageRegistry": "mirror"}},
    "security": {"web": {"tls": {"enabled": True, "existingSecret": "a"}}, "podSecurityContext": {"fsGroup": 7}},
    "sizes": {"sizing": {"models": 50}, "resources": {"limits": {"memory": "8Gi"}}},
    "volumes afterwards": {"persistence": {"whenDeleted": "Delete", "whenScaled": "Delete"}},
    "monitoring": OPERATOR,
    "extras": {
        key: value for key, value in values_of("extras").items() if key not in ("fullnameOverride", "namespaceOverride")
    },
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_upgrades_change_nothing_that_cannot_change(change: Mapping[str, Any], next_version: helm_python.Chart) -> None:
    """A newer chart with other values leaves selectors, volumes and all else of a StatefulSet that Kubernetes fixes."""
    before, after = rendered({}), rendered(change, of=next_version)

    assert _fixed(only(before, "StatefulSet")) == _fixed(only(after, "StatefulSet"))
    assert {key: value for key, value in _selectors(after).items() if key in _selectors(before)} == _selectors(before)


def test_fixed_fields_are_those_of_the_first_version() -> None:
    """What cannot be changed in a cluster must not change here either: this is what 0.1.0 installs."""
    labels = {"app.kubernetes.io/name": "driftgauge", "app.kubernetes.io/instance": "demo"}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "state", "labels": labels},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }
    assert _fixed(only(rendered({}), "StatefulSet")) == {
        "serviceName": "demo-driftgauge-headless",
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": labels},
        "volumeClaimTemplates": [claim],
    }


def _fixed(workload: Object) -> Object:
    return {key: value for key, value in workload["spec"].items() if key not in CHANGEABLE}


def _selectors(objects: list[Object]) -> dict[tuple[str, str], Object]:
    """Return by kind and name what the objects select pods by."""
    found = {}
    for each in objects:
        spec = each.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector"))
        if selector is not None and each["kind"] != "ServiceMonitor":
            found[each["kind"], each["metadata"]["name"]] = selector.get("matchLabels", selector)
    return found


@pytest.mark.parametrize("setup", SETUPS)
def test_selectors_select_the_pods(setup: str) -> None:
    """StatefulSet, Services, budget and policy are all about the pods of this release."""
    objects = setup_objects(setup)
    labels = pod_of(objects)["metadata"]["labels"].items()
    for owner, selector in _selectors(own(objects)).items():
        assert selector, owner
        assert selector.items() <= labels, owner


def test_two_releases_leave_each_other_alone() -> None:
    """Neither selects the pods of the other, and no object of theirs has the same name."""
    first, second = rendered(OPERATOR, name="a"), rendered(OPERATOR, name="b")

    for selector in _selectors(first).values():
        assert not selector.items() <= pod_of(second)["metadata"]["labels"].items()
    assert not {(each["kind"], each["metadata"]["name"]) for each in first} & {
        (each["kind"], each["metadata"]["name"]) for each in second
    }


@pytest.mark.parametrize("setup", SETUPS)
def test_objects_are_small_enough(setup: str) -> None:
    """`kubectl apply` keeps a copy of each object in an annotation of at most 256 KiB."""
    for each in setup_objects(setup):
        assert len(json.dumps(each)) < 256 * 1024, each["metadata"]["name"]


def test_release_is_small_enough(tmp_path: Path) -> None:
    """Helm keeps chart and manifests of a release in a Secret of at most 1 MiB; the package has what users need."""
    package = Path(helm_python.package(CHART, destination=tmp_path))
    with tarfile.open(package) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        contents = [base64.b64encode(file.read()) for file in files.values() if file]
    kept = b"".join([*contents, *(text.encode() for text in texts(OPERATOR).values())])

    assert len(base64.b64encode(gzip.compress(kept))) < 512 * 1024
    assert "driftgauge/files/rules/models.rules.yml" in files
    assert not [name for name in files if "/ci/" in name]


def test_policy_lets_scrapes_in_and_questions_out() -> None:
    """Who is named may scrape; DNS and what is named can be reached, and everything where nothing is named."""
    named, default = setup_objects("operator"), rendered({"networkPolicy": {"enabled": True}})
    (entry,) = only(named, "NetworkPolicy")["spec"]["ingress"]
    names, mlflow = only(named, "NetworkPolicy")["spec"]["egress"]

    assert entry["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert entry["from"] == values_of("operator")["networkPolicy"]["from"]
    assert {(port["port"], port["protocol"]) for port in names["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert mlflow == values_of("operator")["networkPolicy"]["egress"][0]
    assert only(default, "NetworkPolicy")["spec"]["egress"] == [{}]
    assert "from" not in only(default, "NetworkPolicy")["spec"]["ingress"][0]
