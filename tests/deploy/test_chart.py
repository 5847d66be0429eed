"""The Helm chart renders for each set-up in ci/, is valid, says what is wrong with values, and does what they say."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
import helm_python
import kubernetes_validate.utils
import pytest
import yaml
from click.testing import CliRunner

from deploy.charts import (
    CHART,
    OPERATOR,
    ROOT,
    SETUPS,
    chart,
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
from driftgauge import __version__
from driftgauge.cli import main
from driftgauge.config import load_mapping
from driftgauge.serving import serve
from driftgauge.sharding import Shard
from driftgauge.web.site import site_of
from driftgauge.web.webconfig import parse_web_config

# The oldest that Chart.yaml allows, and the newest that the validator knows.
KUBERNETES: Final = ("1.27", "1.37")
# What Prometheus Operator (0.8x) takes, as far as the chart writes it: its schemas are in no package.
RELABELING: Final = {"sourceLabels", "separator", "targetLabel", "regex", "modulus", "replacement", "action"}
ENDPOINT: Final = {
    "port", "path", "scheme", "honorLabels", "interval", "scrapeTimeout", "tlsConfig", "basicAuth", "relabelings",
    "metricRelabelings",
}  # fmt: skip
MONITOR: Final = {
    "namespaceSelector", "selector", "targetLabels", "podTargetLabels", "sampleLimit", "endpoints",
}  # fmt: skip
TLS: Final = {"serverName", "ca", "cert", "keySecret", "insecureSkipVerify"}
ALERT: Final = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}
BCRYPT: Final = "$2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay"


@pytest.fixture(scope="module", autouse=True)
def _schemas_are_read_once() -> Iterator[None]:
    """Have the validator parse each of its files once, and not once for each object."""
    with pytest.MonkeyPatch.context() as patch:
        read = functools.cache(kubernetes_validate.utils.schema_contents)
        patch.setattr(kubernetes_validate.utils, "schema_contents", read)
        yield


@pytest.mark.parametrize("setup", SETUPS)
def test_lint_finds_nothing(setup: str) -> None:
    """`helm lint --strict` has nothing to say, on the values of any set-up."""
    report = helm_python.lint(CHART, dict(values_of(setup)), strict=True, namespace="monitoring")
    assert (report["messages"], report["errors"]) == ([], [])


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("setup", SETUPS)
def test_objects_are_valid(setup: str, version: str) -> None:
    """Each object has only fields that Kubernetes knows, of the right type."""
    for each in setup_objects(setup):
        if each["kind"] not in ("ServiceMonitor", "PrometheusRule"):
            kubernetes_validate.validate(each, version, strict=True)


def test_validation_is_strict() -> None:
    """A misspelt field, however deep, is found by what the test above relies on."""
    (workload,) = of_kind(rendered({}), "StatefulSet")
    workload["spec"]["template"]["spec"]["containers"][0]["securityContext"]["runAsNonRot"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="runAsNonRot"):
        kubernetes_validate.validate(workload, KUBERNETES[-1], strict=True)


@pytest.mark.parametrize("setup", SETUPS)
def test_operators_objects_are_valid(setup: str) -> None:
    """ServiceMonitor and PrometheusRule have only fields that the operator knows."""
    for monitor in of_kind(setup_objects(setup), "ServiceMonitor"):
        assert set(monitor["spec"]) <= MONITOR
        for endpoint in monitor["spec"]["endpoints"]:
            assert set(endpoint) <= ENDPOINT
            assert set(endpoint.get("tlsConfig", {})) <= TLS
            for relabeling in (*endpoint["relabelings"], *endpoint.get("metricRelabelings", ())):
                assert set(relabeling) <= RELABELING
    for rule in of_kind(setup_objects(setup), "PrometheusRule"):
        for group in rule["spec"]["groups"]:
            assert set(group) <= {"name", "interval", "rules"}
            assert all(set(each) <= ALERT for each in group["rules"])


@pytest.mark.parametrize("setup", SETUPS)
def test_render_is_deterministic(setup: str) -> None:
    """Two renders have the same bytes, so that GitOps sees no change where there is none."""
    with helm_python.Chart.load(CHART) as again:
        assert texts(values_of(setup), of=again) == texts(values_of(setup))


def test_an_install_and_an_upgrade_are_the_same() -> None:
    """What is installed does not depend on whether it was there before."""
    values = values_of("operator")
    assert texts(values, revision=7, is_upgrade=True, is_install=False) == texts(values)


def test_versions_are_those_of_the_package() -> None:
    """Chart and image have the version of driftgauge."""
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (about["version"], about["appVersion"]) == (__version__, __version__)
    assert about["kubeVersion"] == f">={KUBERNETES[0]}.0-0"
    assert exporter_of(rendered({}))["image"].endswith(f":{__version__}")


def test_image_is_what_the_chart_expects() -> None:
    """The Dockerfile's user, volume and command are those of the pods."""
    image = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    pod, container = pod_of(rendered({}))["spec"], exporter_of(rendered({}))
    user = pod["securityContext"]["runAsUser"]

    assert f"\nUSER {user}:{pod['securityContext']['runAsGroup']}\n" in image
    assert f'\nVOLUME ["{container["volumeMounts"][0]["mountPath"]}"]\n' in image
    assert '\nENTRYPOINT ["driftgauge"]\n' in image
    assert "command" not in container


# Values and the schema.


def test_schema_knows_every_value_and_no_other() -> None:
    """Each key of values.yaml is in the schema and each of the schema in values.yaml."""
    known = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    default = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    def compare(schema: Mapping[str, Any], values: Mapping[str, Any], place: str) -> None:
        assert set(schema["properties"]) == set(values), place
        for key, value in values.items():
            below = schema["properties"][key]
            if "properties" in below and key not in ("config", "resources") and not key.endswith("Probe"):
                compare(below, value, f"{place}.{key}")

    compare(known, default, "values")


def test_readme_names_every_value() -> None:
    """The table has a row for each value that has a default of its own."""
    default = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    named = re.findall(r"^\| `([^`]+)` \|", (CHART / "README.md").read_text(encoding="utf-8"), re.MULTILINE)

    def missing(values: Mapping[str, Any], place: str) -> Iterator[str]:
        for key, value in values.items():
            if f"{place}{key}" not in named:
                yield from missing(value, f"{place}{key}.") if isinstance(value, dict) and value else [f"{place}{key}"]

    assert list(missing(default, "")) == []


def _sections(schema: Mapping[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of all mappings whose keys are known."""
    if "properties" in schema:
        if schema.get("additionalProperties") is False:
            yield path
        for key, below in schema["properties"].items():
            yield from _sections(below, (*path, key))
    if "properties" in schema.get("items", {}):
        yield from _sections(schema["items"], (*path, 0))


SECTIONS: Final = list(_sections(json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: ".".join(map(str, path)) or "top")
def test_misspelt_key_is_refused(path: tuple[str | int, ...]) -> None:
    """In each section a key that does not exist is an error that names it, before anything is installed."""
    values: Any = {"misspelt": 1}
    for step in reversed(path):
        values = [values] if isinstance(step, int) else {step: values}
    with pytest.raises(helm_python.HelmValuesError, match="additional properties 'misspelt' not allowed"):
        chart().render(values, name="demo")


def test_sections_reach_into_the_configuration() -> None:
    """The keys of the exporter's own file are checked as well."""
    assert {("config",), ("config", "models", 0, "labels"), ("config", "limits"), ("web", "tls")} <= set(SECTIONS)


TLS_OF_A: Final = {"enabled": True, "existingSecret": "a"}
MISTAKES: Final = {
    "no_certificate": ({"web": {"tls": {"enabled": True}}}, "web.tls.existingSecret: TLS is enabled, and no Secret is"),
    "no_authority": (
        {"web": {"tls": {**TLS_OF_A, "caKey": "", "clientAuthType": "VerifyClientCertIfGiven"}}},
        "web.tls.caKey: clients show certificates, and no authority is named",
    ),
    "no_users": ({"web": {"basicAuth": {"enabled": True}}}, "web.basicAuth.users: basic auth is enabled, and there"),
    "no_password_for_the_scrape": (
        {"web": {"basicAuth": {"enabled": True, "users": {"a": BCRYPT}}}, "serviceMonitor": {"enabled": True}},
        "serviceMonitor.basicAuth.existingSecret: basic auth is enabled, and Prometheus has no password",
    ),
    "no_certificate_for_the_scrape": (
        {
            "web": {"tls": {**TLS_OF_A, "clientAuthType": "RequireAndVerifyClientCert"}},
            "serviceMonitor": {"enabled": True},
        },
        "serviceMonitor.tlsConfig: clients have to show a certificate, and Prometheus has none",
    ),
    "two_kinds_of_credentials": (
        {"mlflow": {"existingSecret": "a", "credentials": {"B": "c"}}},
        "mlflow.credentials: next to mlflow.existingSecret; keep one of the two",
    ),
    "keys_of_no_secret": (
        {"mlflow": {"existingSecretKeys": {"A": "b"}}},
        "mlflow.existingSecret: mlflow.existingSecretKeys names keys, and no Secret is named",
    ),
    "no_models": ({"config": {"models": []}}, "config.models: names no model; give at least one"),
    "null_configuration": ({"config": None}, "config.models: names no model; give at least one"),
    "null_models": ({"config": {"models": None}}, "config.models: names no model; give at least one"),
    "alert_that_is_not_there": (
        {"prometheusRule": {"enabled": True, "disabled": ["ModelOutlier"]}},
        "prometheusRule.disabled: there is no alert ModelOutlier; their names are",
    ),
    "password_in_the_configuration": (
        {"config": {"mlflow": {"tracking_uri": "https://user:secret@mlflow"}}},
        "config: an address has a password in it, and a ConfigMap is no place for one",
    ),
    "variable_that_nothing_sets": (
        {"config": {"mlflow": {"tracking_uri": "https://u:${MLFLOW_PASSWORD}@mlflow"}}},
        "config: ${MLFLOW_PASSWORD} is not set; give the variable by mlflow.existingSecret",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_values_that_need_each_other(values: Mapping[str, Any], message: str) -> None:
    """What is missing is said in one line, with what to do, and nothing is rendered."""
    with pytest.raises(helm_python.HelmRenderError) as raised:
        chart().render(dict(values), name="demo")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "key", ["resources", "livenessProbe", "readinessProbe", "podSecurityContext", "securityContext", "updateStrategy"]
)
def test_null_takes_a_default_away(key: str) -> None:
    """What Kubernetes has a default of its own for can be left to it, as Helm's users write it."""
    for each in rendered({key: None}):
        kubernetes_validate.validate(each, KUBERNETES[-1], strict=True)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"shards": 0}, "/shards"),
        ({"job": 'a"b'}, "/job"),
        ({"links": {"grafana": "grafana.example.com"}}, "/links/grafana"),
        ({"web": {"basicAuth": {"users": {"a": "plain"}}}}, "/web/basicAuth/users/a"),
        ({"service": {"port": 80}}, "/service/port"),
        ({"persistence": {"size": "ten"}}, "/persistence/size"),
        ({"mlflow": {"existingSecret": "Not A Name"}}, "/mlflow/existingSecret"),
        ({"config": {"models": [{"predictions": {"experiment": "/a"}}]}}, "missing property 'name'"),
    ],
)
def test_values_out_of_range(values: Mapping[str, Any], what: str) -> None:
    """A value that could not work is an error of the schema, which says where it is."""
    with pytest.raises(helm_python.HelmValuesError) as raised:
        chart().render(dict(values), name="demo")
    assert what in str(raised.value)


VALID: Final = sorted(path for path in (ROOT / "tests" / "data" / "config").glob("*.yml") if "bad" not in path.name)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_schema_takes_what_the_exporter_takes(path: Path) -> None:
    """A file that the exporter accepts, and the one of the documentation with everything, is a valid `config`."""
    config = {
        key: value for key, value in yaml.safe_load(path.read_text(encoding="utf-8")).items() if key != "state_dir"
    }
    chart().validate_schema({"config": config})


def test_schema_takes_the_file_with_everything() -> None:
    """The documentation's longest example is a valid `config`."""
    page = (ROOT / "exporter" / "docs" / "configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"## A file with everything\n\n```yaml\n(.*?)```", page, re.DOTALL)
    config = yaml.safe_load(example)
    del config["state_dir"]
    chart().validate_schema({"config": config})


# What the exporter is given.


@pytest.mark.parametrize("setup", SETUPS)
def test_flags_exist(setup: str) -> None:
    """The arguments of the container are ones that this version's `driftgauge serve` takes."""
    command, *arguments = exporter_of(setup_objects(setup))["args"]
    assert command == "serve"
    with click.Context(main, info_name="driftgauge") as parent:
        serve.make_context("serve", arguments, parent=parent)


@pytest.mark.parametrize("setup", [setup for setup in SETUPS if "existingConfigMap" not in values_of(setup)])
def test_configuration_is_accepted(setup: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`driftgauge check-config` takes the file in the ConfigMap, with the variables of the container."""
    objects = setup_objects(setup)
    for each in exporter_of(objects).get("env", ()):
        monkeypatch.setenv(each["name"], each.get("value", "from-a-secret"))
    file = tmp_path / "driftgauge.yml"
    (text,) = [
        each["data"]["driftgauge.yml"]
        for each in own(of_kind(objects, "ConfigMap"))
        if "driftgauge.yml" in each["data"]
    ]
    file.write_text(text, encoding="utf-8")

    ran = CliRunner().invoke(main, ["check-config", str(file)])

    assert (ran.exit_code, yaml.safe_load(text)["state_dir"]) == (0, "/var/lib/driftgauge"), ran.output


@pytest.mark.parametrize("setup", ["tls-basic-auth", "client-certificates"])
def test_web_configuration_is_accepted(setup: str) -> None:
    """The exporter reads the file in the Secret, whose certificates are where the pod mounts them."""
    objects = setup_objects(setup)
    (text,) = [value for key, value in secrets_of(objects) if key == "web.yml"]
    web = parse_web_config(load_mapping(text, filename="web.yml"), filename="/etc/driftgauge/web/web.yml")

    assert web.tls_server_config is not None
    assert {str(path.parent) for path in web.tls_server_config.files} == {"/etc/driftgauge/tls"}
    assert list(web.basic_auth_users) == list(values_of(setup)["web"].get("basicAuth", {}).get("users", {}))


# What belongs together.

CHECKSUMS: Final = {
    "configuration": ({"config": {"refresh_interval": "1m"}}, {"checksum/config"}),
    "users": ({"web": {"basicAuth": {"enabled": True, "users": {"a": BCRYPT}}}}, {"checksum/web"}),
    "credentials": ({"mlflow": {"credentials": {"A": "c"}}}, {"checksum/mlflow"}),
    "service": ({"service": {"annotations": {"a": "b"}}}, set()),
    "labels of the rules": ({"prometheusRule": {"labels": {"a": "b"}}}, set()),
}


@pytest.mark.parametrize(("change", "changed"), CHECKSUMS.values(), ids=CHECKSUMS.keys())
def test_pods_start_again_when_what_they_read_changes(change: Mapping[str, Any], changed: set[str]) -> None:
    """A change of a file that the exporter reads at its start changes the pod, and no other change does."""
    before, after = pod_of(rendered({})), pod_of(rendered(change))

    annotations = [set(pod["metadata"]["annotations"].items()) for pod in (before, after)]
    assert {key for key, _ in annotations[1] - annotations[0]} == changed
    assert changed or before == after


PROBES: Final = {
    "default": ("HTTP", "http"),
    "tls-basic-auth": ("HTTPS", "https"),
    "existing-secrets": ("HTTPS", "https"),
}


@pytest.mark.parametrize(("setup", "schemes"), PROBES.items(), ids=PROBES.keys())
def test_probes_and_scrape_speak_what_the_exporter_speaks(setup: str, schemes: tuple[str, str]) -> None:
    """With TLS, probes and ServiceMonitor use it as well."""
    objects = rendered({**OPERATOR, **values_of(setup)})
    container = exporter_of(objects)
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness")}

    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "liveness": "/-/healthy",
        "readiness": "/-/ready",
    }
    assert {probe["scheme"] for probe in probes.values()} == {schemes[0]}
    assert only(objects, "ServiceMonitor")["spec"]["endpoints"][0]["scheme"] == schemes[1]


PREFIXES: Final = {
    "none": ({}, ""),
    "external": ({"externalUrl": "https://a.example.com/models/x/"}, "/models/x"),
    "external without a path": ({"externalUrl": "https://a.example.com"}, ""),
    "taken off by the proxy": ({"externalUrl": "https://a.example.com/models/", "routePrefix": "/"}, ""),
    "another inside": ({"externalUrl": "https://a.example.com/models/", "routePrefix": "/b/"}, "/b"),
}


@pytest.mark.parametrize(("web", "prefix"), PREFIXES.values(), ids=PREFIXES.keys())
def test_probes_and_scrape_ask_where_the_exporter_answers(web: Mapping[str, str], prefix: str) -> None:
    """Where paths begin with something, those of probes and scrape do as well: what the exporter makes of its flags."""
    objects = rendered({"web": web, "serviceMonitor": {"enabled": True}})
    container = exporter_of(objects)
    flags = dict(argument.split("=", 1) for argument in container["args"] if "=" in argument)
    site = site_of(route_prefix=flags.get("--web.route-prefix"), external_url=flags.get("--web.external-url", ""))

    assert site.prefix == prefix
    assert [container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness")] == [
        site.path("/-/healthy"),
        site.path("/-/ready"),
    ]
    assert only(objects, "ServiceMonitor")["spec"]["endpoints"][0]["path"] == site.path(site.telemetry)


def test_probes_without_a_certificate_of_their_own_try_the_port() -> None:
    """Where clients have to show a certificate, the kubelet cannot ask."""
    container = exporter_of(setup_objects("client-certificates"))
    assert {container[f"{kind}Probe"]["tcpSocket"]["port"] for kind in ("liveness", "readiness")} == {"http"}


def test_scrape_logs_in() -> None:
    """With TLS and users the ServiceMonitor has authority, name and password."""
    (endpoint,) = only(setup_objects("tls-basic-auth"), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["tlsConfig"] == {
        "serverName": "demo-driftgauge.monitoring.svc",
        "ca": {"secret": {"name": "driftgauge-tls", "key": "ca.crt"}},
    }
    assert endpoint["basicAuth"] == {
        "username": {"name": "driftgauge-scrape", "key": "username"},
        "password": {"name": "driftgauge-scrape", "key": "password"},
    }


@pytest.mark.parametrize("setup", SETUPS)
def test_each_pod_is_scraped_once(setup: str) -> None:
    """The ServiceMonitor selects one of the two Services, keeps labels of series, and gives `job` and `instance`."""
    objects = setup_objects(setup)
    for monitor in of_kind(objects, "ServiceMonitor"):
        spec = monitor["spec"]
        wanted = spec["selector"]["matchLabels"].items()
        (service,) = [each for each in of_kind(objects, "Service") if wanted <= each["metadata"]["labels"].items()]
        (endpoint,) = spec["endpoints"]

        assert spec["namespaceSelector"]["matchNames"] == [service["metadata"]["namespace"]]
        assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
        assert endpoint["honorLabels"] is True
        assert {each["targetLabel"]: each.get("replacement") for each in endpoint["relabelings"][:2]} == {
            "job": values_of(setup).get("job", "driftgauge"),
            "instance": None,
        }


@pytest.mark.parametrize("shards", [1, 3])
def test_every_pod_is_a_shard(shards: int) -> None:
    """There are as many pods as shards, and what a pod is given makes it the shard of its number, of all."""
    objects = rendered({"shards": shards})
    container = exporter_of(objects)
    given = {each["name"]: each for each in container["env"]}
    (flag,) = [argument.removeprefix("--shard=") for argument in container["args"] if argument.startswith("--shard=")]
    pods = [f"{only(objects, 'StatefulSet')['metadata']['name']}-{number}" for number in range(shards)]

    assert only(objects, "StatefulSet")["spec"]["replicas"] == shards
    assert given["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    for number, pod in enumerate(pods):
        environ = {"POD_NAME": pod, "DRIFTGAUGE_TOTAL_SHARDS": given["DRIFTGAUGE_TOTAL_SHARDS"]["value"]}
        assert Shard.chosen(flag, environ=environ, hostname="") == Shard(number, shards)


def test_credentials_reach_the_exporter() -> None:
    """Keys of a Secret become variables, by their own names or by others."""
    whole = exporter_of(rendered({"mlflow": {"existingSecret": "reader"}}))
    renamed = exporter_of(setup_objects("existing-secrets"))
    written = setup_objects("minimal")

    assert whole["envFrom"] == [{"secretRef": {"name": "reader"}}]
    (password,) = [each for each in renamed["env"] if each["name"] == "MLFLOW_TRACKING_PASSWORD"]
    assert password["valueFrom"]["secretKeyRef"] == {"name": "mlflow-reader", "key": "password"}
    assert dict(secrets_of(written)) == {"MLFLOW_TRACKING_PASSWORD": "12345", "MLFLOW_TRACKING_USERNAME": "driftgauge"}
    assert exporter_of(written)["envFrom"] == [{"secretRef": {"name": only(written, "Secret")["metadata"]["name"]}}]


def test_spread_is_about_the_charts_own_pods() -> None:
    """A constraint without a selector gets the StatefulSet's; one with its own keeps it."""
    objects = setup_objects("shards")
    ours, theirs = pod_of(objects)["spec"]["topologySpreadConstraints"]

    assert ours["labelSelector"] == only(objects, "StatefulSet")["spec"]["selector"]
    assert theirs["labelSelector"] == {"matchLabels": {"app.kubernetes.io/name": "driftgauge"}}


def test_notes_say_what_is_left_to_do() -> None:
    """After the installation one reads how to look at it, and what does not work yet."""
    (plain,) = [text for path, text in texts({}).items() if path.endswith("NOTES.txt")]
    (done,) = [text for path, text in texts(values_of("operator")).items() if path.endswith("NOTES.txt")]

    for words in ("Nothing scrapes it yet", "honor_labels: true", "Nobody is paged yet", "still the example"):
        assert words in plain
    for words in ("Nothing scrapes", "Nobody is paged", "localhost:3000"):
        assert words not in done
