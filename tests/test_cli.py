"""The command line, judged by output, exit status and answers; what no other process can change runs in this one."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import parser
from prometheus_client.openmetrics import parser as strict

import driftgauge as package
from driftgauge.__main__ import ONE_THREAD
from e2e.exporter import Exporter, command, driftgauge, serving
from e2e.service_bench import MODELS, ROWS, Bench, filled
from mlflow_servers import free_port

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def bench(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a filled store."""
    return filled(empty_database, tmp_path_factory.mktemp("cli"))


@pytest.fixture
def config(bench: Bench, tmp_path: Path) -> Path:
    """Return a configuration file for the store, with a state of the test's own."""
    return write_config(tmp_path, bench.uri)


def write_config(folder: Path, uri: str, **settings: Any) -> Path:
    """Write a configuration of the bench's models."""
    models = [{"name": name, "predictions": {"experiment": name}} for name in MODELS]
    fixed = {"mlflow": {"tracking_uri": uri}, "state_dir": str(folder / "state"), "models": models}
    path = folder / "driftgauge.yml"
    path.write_text(yaml.safe_dump({"refresh_interval": "500ms", **fixed, **settings}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def exporter(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """Return a running exporter that tests only look at."""
    # Nothing new comes, and to look for it all the time would slow the other tests down.
    config = write_config(tmp_path_factory.mktemp("serve"), bench.uri, refresh_interval="1m")
    with serving(config, free_port(), "--log.format=json") as exporter:
        exporter.wait_until_ready()
        yield exporter


def test_version() -> None:
    """The version is that of the package."""
    shown = driftgauge("--version")

    assert (shown.returncode, shown.stdout) == (0, f"driftgauge {package.__version__}\n")


@pytest.mark.parametrize(("given", "used"), [({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)])
def test_linear_algebra_has_one_thread_unless_asked(given: dict[str, str], used: int) -> None:
    """A container with one processor of 64 does not start 64 threads that wait for each other."""
    script = """if True:
        import atexit, sys
        def threads():
            from threadpoolctl import threadpool_info
            import numpy
            print(*(each["num_threads"] for each in threadpool_info()))
        atexit.register(threads)
        from driftgauge.__main__ import main
        main()
    """
    plain = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    shown = subprocess.run(
        [sys.executable, "-c", script, "--version"], env=plain | given, capture_output=True, text=True, check=True
    )

    assert shown.stdout.splitlines()[-1] == str(used)


@pytest.mark.parametrize("arguments", [["--version"], ["serve", "--help"], ["once"]], ids=" ".join)
def test_what_needs_no_mlflow_does_not_wait_for_it(arguments: list[str]) -> None:
    """Answers about the command line itself come before anything heavy is imported."""
    script = """if True:
        import atexit, sys
        heavy = {"mlflow", "pandas", "duckdb", "pyarrow", "scipy", "sklearn", "structlog"}
        atexit.register(lambda: print("imported:", *(heavy & set(sys.modules)), file=sys.stderr))
        from driftgauge.cli import main
        main()
    """
    shown = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, timeout=180
    )

    assert shown.stderr.splitlines()[-1] == "imported:"


def test_check_config_accepts_a_good_file(config: Path) -> None:
    """A valid file is called so, with the number of models."""
    checked = command("check-config", config)

    assert (checked.returncode, checked.stdout) == (0, f"{config}: valid, 2 models\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"windows: [1h]\nmodles: []\n", ':2: modles: unknown key "modles"; did you mean "models"?'),
        (b"\xff\xfe", ": not UTF-8 text"),
        (None, ": No such file or directory"),
    ],
    ids=["unknown key", "not text", "no file"],
)
def test_check_config_says_what_is_wrong(tmp_path: Path, content: bytes | None, message: str) -> None:
    """A bad file is refused with exit status 2 and its name, line and mistake on stderr."""
    path = tmp_path / "bad.yml"
    if content is not None:
        path.write_bytes(content)

    checked = command("check-config", path)

    assert (checked.returncode, checked.stdout) == (2, "")
    assert f"{path}{message}" in checked.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: there is no such file, and it is no id of an MLflow run"),
        ([], "inspect needs one of the two: a file or run, or --config.file=…"),
        (["--config.file=nowhere.yml"], "nowhere.yml: No such file or directory"),
    ],
    ids=["no file", "nothing", "no configuration"],
)
def test_inspect_refuses_in_one_line(arguments: list[str], said: str) -> None:
    """What cannot be looked at is one line and exit status 2."""
    shown = command("inspect", *arguments)

    assert (shown.returncode, shown.stdout, shown.stderr) == (2, "", f"{said}\n")


def test_inspect_and_check_online_a_configuration(config: Path) -> None:
    """The findings of one model as JSON; one line for each thing that is looked at; neither touches the state."""
    inspected = command("inspect", f"--config.file={config}", f"--model={MODELS[0]}", "--format=json")
    checked = command("check-config", "--online", config)

    (found,) = json.loads(inspected.stdout)
    assert (found["model"], found["task_why"]) == (MODELS[0], "as configured")
    assert found["publication"]["values"]["model_window_predictions"] > 0
    assert checked.returncode == 0, checked.stdout + checked.stderr
    lines = checked.stdout.splitlines()[1:]
    assert [line.partition(": ok: ")[0] for line in lines] == [f"{name}: predictions" for name in MODELS]
    assert not (config.parent / "state").exists()


def test_once_prints_the_page(config: Path) -> None:
    """The page goes to stdout and the log to stderr."""
    once = driftgauge("once", f"--config.file={config}")

    assert once.returncode == 0, once.stderr
    families = {family.name: family for family in parser.text_string_to_metric_families(once.stdout)}
    counted = {sample.labels["model"]: sample.value for sample in families["model_predictions"].samples}
    assert counted == dict.fromkeys(MODELS, len(ROWS))
    assert 'event="batches committed"' in once.stderr


def test_once_evaluates_as_of_another_time(config: Path) -> None:
    """With --at windows end then, and rows from later are not believed."""
    once = command("once", f"--config.file={config}", "--at=2020-01-01T00:00:00Z")

    assert once.returncode == 0, once.stderr
    samples = [sample for family in parser.text_string_to_metric_families(once.stdout) for sample in family.samples]
    rejected = {s.labels["model"]: s.value for s in samples if s.name == "model_rows_rejected_total"}
    assert rejected == dict.fromkeys(MODELS, len(ROWS))
    assert not any(sample.name == "model_window_predictions" for sample in samples)


def test_once_fails_for_a_model_that_cannot_be_refreshed(tmp_path: Path, bench: Bench) -> None:
    """A missing experiment is exit status 1, with the model and the remedy; the page is printed all the same."""
    models = [{"name": "churn", "predictions": {"experiment": "chrun"}}]
    config = write_config(tmp_path, bench.uri, models=models)

    once = command("once", f"--config.file={config}")

    assert once.returncode == 1
    assert "driftgauge_refresh_success 0.0" in once.stdout
    assert 'driftgauge: churn: experiment "chrun" does not exist' in once.stderr
    assert "'churn'" in once.stderr


def _files(folder: Path, **model: Any) -> Path:
    """Write a configuration of one model whose files are in a folder."""
    section = {"name": "churn", "predictions": {"files": str(folder / "in")}, **model}
    path = folder / "driftgauge.yml"
    path.write_text(
        yaml.safe_dump({"refresh_interval": "500ms", "state_dir": str(folder / "state"), "models": [section]})
    )
    return path


def _answers(folder: Path, count: int) -> None:
    (folder / "in").mkdir()
    now = datetime.now(UTC).timestamp()
    rows = [{"request_id": f"r{n}", "timestamp": now - 60, "answer": n % 2} for n in range(count)]
    (folder / "in" / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_configuration_corrected_in_a_running_exporter(tmp_path: Path) -> None:
    """After SIGHUP the rows that were rejected are in the window, counted once; reset says that it has to wait."""
    _answers(tmp_path, 40)
    config = _files(tmp_path)
    with serving(config, free_port(), "--log.format=json") as exporter:
        exporter.wait_until_ready()

        def counted(name: str, **labels: str) -> float:
            families = parser.text_string_to_metric_families(exporter.get("/metrics")[1])
            samples = [sample for family in families for sample in family.samples if sample.name == name]
            return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

        assert counted("model_batch_failures_total") == 1
        locked = driftgauge("reset", f"--config.file={config}", "--model=churn")
        assert locked.returncode == 1
        assert "another process uses" in locked.stderr
        assert "SIGHUP is enough" in locked.stderr
        locked = command("report", f"--config.file={config}", f"--output={tmp_path}/report.md")
        assert (locked.returncode, "its own page has the same report, /models/NAME" in locked.stderr) == (1, True)
        _files(tmp_path, columns={"prediction": "answer"})
        exporter.process.send_signal(signal.SIGHUP)
        exporter.wait_for(lambda: counted("model_window_predictions", window="1h") == 40)
        assert counted("model_predictions_total") == 40
        assert counted("model_batch_failures_total") == 1


def test_reset(tmp_path: Path) -> None:
    """A model that is reset is read again at the next start, and none of its rows counts twice."""
    _answers(tmp_path, 10)
    config = _files(tmp_path, columns={"prediction": "answer"})
    unknown = command("reset", f"--config.file={config}", "--model=chrun")
    assert (unknown.returncode, "it has churn" in unknown.stderr) == (2, True)
    pages = [command("once", f"--config.file={config}")]
    reset = command("reset", f"--config.file={config}", "--model=churn")
    assert (reset.returncode, "read again" in reset.stdout) == (0, True)
    pages += [command("once", f"--config.file={config}") for _ in range(2)]
    assert ["a reset was asked for" in page.stderr for page in pages] == [False, True, False]
    for page in pages:
        assert 'model_predictions_total{model="churn",version="unknown"} 10.0' in page.stdout


def test_reset_of_evidence(tmp_path: Path) -> None:
    """Evidence alone begins anew, of a version or signal if one is given, and nothing is read again."""
    (tmp_path / "in").mkdir()
    now = datetime.now(UTC).timestamp()
    rows = [{"timestamp": now - 60, "model_version": "1", "prediction": n % 2, "label": 1} for n in range(100)]
    (tmp_path / "in" / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = _files(tmp_path, baseline={"accuracy": 0.9})
    series = 'model_evidence_log10{model="churn",signal="accuracy",version="1"}'
    assert series in command("once", f"--config.file={config}").stdout
    for arguments, said in [
        (["--signal=inputs"], "churn: there is no such evidence\n"),
        (["--version=2"], "churn: there is no such evidence\n"),
        (["--version=1", "--signal=accuracy"], "churn: evidence begins anew of version 1: accuracy\n"),
        (["--evidence"], "churn: there is no such evidence\n"),
    ]:
        reset = command("reset", f"--config.file={config}", "--model=churn", *arguments)
        assert (reset.returncode, reset.stdout) == (0, said)
    page = command("once", f"--config.file={config}")
    assert series not in page.stdout
    assert "reset was asked for" not in page.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--at=yesterday"], "--at: 'yesterday' is no ISO 8601 time such as 2026-01-31T00:00:00Z"),
        (["--log.level=loud"], "loud"),
    ],
    ids=["time", "level"],
)
def test_once_refuses_bad_options(config: Path, arguments: list[str], message: str) -> None:
    """A mistake on the command line is exit status 2 before anything is read."""
    once = command("once", f"--config.file={config}", *arguments)

    assert (once.returncode, once.stdout) == (2, "")
    assert message in once.stderr


def test_the_state_must_be_usable(config: Path, tmp_path: Path) -> None:
    """A state directory that is a file is exit status 2 with the path."""
    (tmp_path / "state").touch()

    once = command("once", f"--config.file={config}")

    assert once.returncode == 2
    assert str(tmp_path / "state") in once.stderr
    assert "Traceback" not in once.stderr


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/", "<html"),
        ("/-/healthy", "driftgauge is healthy."),
        ("/-/ready", "driftgauge is ready."),
        ("/config", "experiment: churn"),
        ("/metrics", 'model_batches_total{model="churn"} 1.0'),
    ],
)
def test_every_page_answers(exporter: Exporter, path: str, content: str) -> None:
    """What a person or a probe asks for is there."""
    status, body = exporter.get(path)

    assert status == 200
    assert content in body


def test_openmetrics_is_negotiated(exporter: Exporter) -> None:
    """The OpenMetrics page passes the strict parser and has the exporter's own process on it."""
    status, body = exporter.get("/metrics", headers={"Accept": OPENMETRICS})

    assert status == 200
    names = {family.name for family in strict.text_string_to_metric_families(body)}
    assert {"model_batches", "driftgauge_build", "process_cpu_seconds"} <= names


def test_json_logs_are_json(exporter: Exporter) -> None:
    """With --log.format=json every line is one object with time, level and event."""
    lines = [json.loads(line) for line in exporter.log.read_text().splitlines()]

    assert {"timestamp", "level", "event"} <= set.intersection(*map(set, lines))
    listening = next(line for line in lines if line["event"] == "listening")
    assert (listening["url"], listening["version"]) == (exporter.url, package.__version__)


def test_a_taken_port_is_told_with_the_remedy(config: Path) -> None:
    """A port that something listens on is exit status 2, before any refresh."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:{1}".format(*taken.getsockname())
        refused = driftgauge("serve", f"--config.file={config}", f"--web.listen-address={address}")

    assert refused.returncode == 2
    assert refused.stderr == (
        f"--web.listen-address: cannot listen on {address}: the port is taken; is another driftgauge running?\n"
    )


def test_reloading_and_stopping(config: Path, bench: Bench) -> None:
    """SIGHUP and POST /-/reload read the file again, a bad one changes nothing; SIGTERM ends it within five seconds."""
    with serving(config, free_port()) as exporter:
        exporter.wait_until_ready()
        write_config(config.parent, bench.uri, windows=["2h"])
        exporter.process.send_signal(signal.SIGHUP)
        exporter.wait_for(lambda: 'window="2h"' in exporter.get("/metrics")[1])

        write_config(config.parent, bench.uri, windows=["soon"])
        status, body = exporter.get("/-/reload", method="POST")
        assert status == 500
        assert f"{config}:" in body
        assert "driftgauge_config_last_reload_successful 0.0" in exporter.get("/metrics")[1]
        assert "2h" in exporter.get("/config")[1]

        write_config(config.parent, bench.uri, windows=["3h"])
        assert exporter.get("/-/reload", method="POST")[0] == 200
        exporter.wait_for(lambda: 'window="3h"' in exporter.get("/metrics")[1])

        asked = datetime.now(UTC)
        assert exporter.stop(signal.SIGTERM) == 0
    last = exporter.log.read_text().splitlines()[-1]
    assert "level=info event=stopped" in last or 'event="stopped in the middle of a refresh' in last
    said = datetime.fromisoformat(last.split()[0].removeprefix("timestamp="))
    assert said - asked < timedelta(seconds=5)


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    """A password in the tracking URI reaches neither the log nor a page, not even in an outage."""
    address = f"127.0.0.1:{free_port()}"
    config = write_config(tmp_path, "http://someone:${MLFLOW_SECRET}@" + address)
    env = os.environ | {"MLFLOW_SECRET": "hunter2"}
    away = "driftgauge_mlflow_up 0.0"
    with serving(config, free_port(), "--log.level=debug", env=env) as exporter:
        exporter.wait_for(lambda: away in exporter.get("/metrics")[1])
        pages = [exporter.get(path)[1] for path in ("/", "/config", "/metrics")]

    shown = [*pages, exporter.log.read_text()]
    assert [address in text for text in shown] == [True, True, False, True]
    assert [text for text in shown if "hunter2" in text or "someone" in text] == []
