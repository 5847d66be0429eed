"""Whose state a folder has: what is refused, what is forgotten, and what is said when the number of shards changes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftgauge.config import Config, parse
from driftgauge.errors import ConfigError, StateError
from driftgauge.service.config_file import ConfigFile
from driftgauge.service.front import Front
from driftgauge.service.logs import Logs
from driftgauge.service.placing import FILE, Placement, placement, prepare, refuse_unusable, said, settle, write
from driftgauge.sharding import Shard, shard_of
from e2e.exporter import command
from e2e.service_bench import RefresherThread
from processes import eventually

NAMES = tuple(f"model-{number}" for number in range(40))
ROW = {"timestamp": "2026-01-05T10:30:00Z", "model_version": "3", "features": {"age": 35}, "prediction": 0.7}


def config(folder: Path, shard: Shard) -> Config:
    """Return the configuration of forty models for a shard."""
    models = "".join(f"  - {{name: {name}, predictions: {{files: {folder}/{name}}}}}\n" for name in NAMES)
    text = f"state_dir: {folder}/state\nmodels:\n{models}"
    return parse(text, filename="driftgauge.yml", environ={}).of_shard(shard)


def begun(folder: Path, shard: Shard) -> None:
    """Let a state begin as a shard's."""
    prepare(config(folder, shard))


def test_one_exporter_writes_nothing(tmp_path: Path) -> None:
    """Where there is one shard and always was, there is no file about shards."""
    alone = config(tmp_path, Shard())
    settle(alone, prepare(alone), forget=pytest.fail, now=5.0)

    assert not list(tmp_path.iterdir())
    assert said(placement(f"{tmp_path}/state"), models=40, elsewhere=0) == ()


def test_a_state_is_of_the_shard_that_began_it(tmp_path: Path) -> None:
    """Before anything is read it is written down whose state this is, so a crash leaves no doubt."""
    begun(tmp_path, Shard(1, 3))

    assert placement(f"{tmp_path}/state") == Placement(1, 3)
    refuse_unusable(config(tmp_path, Shard(1, 3)))
    refuse_unusable(config(tmp_path, Shard(1, 4)))


@pytest.mark.parametrize(
    ("shard", "begins"),
    [(Shard(2, 3), "--shard=2/3: "), (Shard(0, 3), "--shard=0/3: "), (Shard(), "no --shard is given, and ")],
)
def test_another_ordinal_is_refused(tmp_path: Path, shard: Shard, begins: str) -> None:
    """One line says whose state it is and what to do."""
    begun(tmp_path, Shard(1, 3))

    with pytest.raises(ConfigError) as caught:
        refuse_unusable(config(tmp_path, shard))

    remedy = "give each shard a state_dir of its own, or say --shard=1/3"
    assert str(caught.value) == f"{begins}{tmp_path}/state has the state of shard 1/3: {remedy}"


def test_a_state_without_the_file_is_the_first_shards(tmp_path: Path) -> None:
    """The state of an exporter that was alone can become that of the first shard, and of no other."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "driftgauge.duckdb").touch()

    refuse_unusable(config(tmp_path, Shard(0, 3)))
    with pytest.raises(ConfigError, match="has the state of shard 0/1"):
        refuse_unusable(config(tmp_path, Shard(1, 3)))


def test_what_moves_is_forgotten_and_said(tmp_path: Path) -> None:
    """From three shards to four: what is on the new one now is forgotten here, and the page says so."""
    begun(tmp_path, Shard(1, 3))
    wider = config(tmp_path, Shard(1, 4))
    forgotten: list[str] = []
    settle(wider, prepare(wider), forget=forgotten.append, now=5.0)
    gone = [name for name in NAMES if shard_of(name, 3) == 1 and shard_of(name, 4) != 1]
    found = placement(f"{tmp_path}/state")

    assert gone
    assert forgotten == [name for name in NAMES if shard_of(name, 4) != 1]
    assert found == Placement(1, 4, before=3, at=5.0, came=(), left=dict.fromkeys(gone, 3))
    kept = len(wider.models)
    assert said(found, models=kept, elsewhere=40 - kept) == (
        f"{kept} of 40 models are on this shard, the others are on shards of their own.",
        "The number of shards changed from 3 to 4 on 1970-01-01 00:00 UTC.",
        f"Went elsewhere: {', '.join(f'{name} (shard 3)' for name in gone)}.",
    )


def test_what_comes_is_said(tmp_path: Path) -> None:
    """From four shards to three: what was on the last one came, and is read again."""
    begun(tmp_path, Shard(1, 4))
    narrower = config(tmp_path, Shard(1, 3))
    settle(narrower, prepare(narrower), forget=lambda _: None, now=5.0)
    came = tuple(name for name in NAMES if shard_of(name, 3) == 1 and shard_of(name, 4) == 3)
    found = placement(f"{tmp_path}/state")

    assert came
    assert found == Placement(1, 3, before=4, at=5.0, came=came)
    assert f"Read again from MLflow since they came here: {', '.join(came)}." in said(found, models=4, elsewhere=8)


def test_many_names_stay_readable() -> None:
    """Twenty models are named, and how many more there are."""
    placed = Placement(0, 2, before=1, at=1.0, left={f"m{number}": 1 for number in range(25)})

    assert said(placed, models=1, elsewhere=25)[-1].endswith("m19 (shard 1) and 5 more.")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"ordinal": 0, "came": [], "colour": 1}'])
def test_a_damaged_file_is_said(tmp_path: Path, text: str) -> None:
    """A file that cannot be read does not let a state pass for another one's."""
    begun(tmp_path, Shard(1, 3))
    (tmp_path / "state" / FILE).write_text(text, encoding="utf-8")

    with pytest.raises(StateError, match=r"shard\.json does not say which shard the state is of .*: delete it"):
        placement(f"{tmp_path}/state")


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """There is one line about it."""
    (tmp_path / "state").write_text("a file", encoding="utf-8")

    assert placement(f"{tmp_path}/state") is None
    with pytest.raises(StateError, match=r"cannot write .*shard\.json"):
        write(f"{tmp_path}/state", Placement())


def totals(page: str) -> Iterator[tuple[str, float]]:
    """Yield each model's number of predictions."""
    for line in page.splitlines():
        if line.startswith("model_predictions_total{"):
            yield line.split('"')[1], float(line.rpartition(" ")[2])


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Return a configuration with files of each model, two rows per file, and `STATE` for the state folder."""
    models = ""
    for name in NAMES[:6]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "predictions-1.jsonl").write_text(f"{json.dumps(ROW)}\n" * 2, encoding="utf-8")
        models += f"  - {{name: {name}, predictions: {{files: {tmp_path}/{name}}}}}\n"
    file = tmp_path / "driftgauge.yml"
    file.write_text(f"state_dir: STATE\nmodels:\n{models}", encoding="utf-8")
    return file


def refreshed(fleet: Path, ordinal: int, total: int) -> dict[str, float]:
    """Refresh a shard once; return its models with their numbers of predictions."""
    own = fleet.with_name(f"shard-{ordinal}.yml")
    own.write_text(fleet.read_text(encoding="utf-8").replace("STATE", f"{fleet.parent}/{ordinal}"), encoding="utf-8")
    done = command("once", f"--config.file={own}", f"--shard={ordinal}/{total}")
    assert done.returncode == 0, done.stderr
    assert f"driftgauge_shard_ordinal {float(ordinal)}" in done.stdout
    assert f"driftgauge_total_shards {float(total)}" in done.stdout
    return dict(totals(done.stdout))


def test_more_shards_lose_and_double_nothing(fleet: Path) -> None:
    """Two shards become three and two again: each model is on one of them, with all of its rows, each time."""
    every = dict.fromkeys(NAMES[:6], 2.0)
    for total in (2, 3, 2):
        pages = [refreshed(fleet, ordinal, total) for ordinal in range(total)]

        assert sum(map(len, pages)) == 6
        assert {name: value for page in pages for name, value in page.items()} == every
        for ordinal, page in enumerate(pages):
            assert set(page) == {name for name in every if shard_of(name, total) == ordinal}
        assert len({shard_of(name, 2) == shard_of(name, 3) for name in every}) == 2


def test_commands_refuse_the_state_of_another_shard(fleet: Path) -> None:
    """Exit status 2 and one line; nothing is read."""
    refreshed(fleet, 1, 2)
    own = fleet.with_name("shard-1.yml")

    for flags in ([], ["--shard=0/2"], ["--shard=3/3"]):
        done = command("once", f"--config.file={own}", *flags)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_shard_without_models_is_ready(tmp_path: Path) -> None:
    """It serves what there is to say of itself, at every refresh anew, and shows which shard it is."""
    text = f"state_dir: {tmp_path}/state\nrefresh_interval: 100ms\nmodels: [{{name: churn, predictions: {{files: /}}}}]"
    assert shard_of("churn", 2) == 0
    file = ConfigFile("driftgauge.yml", text, Shard(1, 2))
    front = Front(lambda: file, spawn=RefresherThread, on_refused=pytest.fail, logs=Logs())
    front.start()
    try:
        assert eventually(lambda: front.ready, seconds=60)
        first = front.status().last_refresh
        assert eventually(lambda: front.status().last_refresh != first, seconds=60)
        _, page = front.metrics(openmetrics=False, gzip=False, names={"driftgauge_refresh_success", "model_info"})
        assert b"".join(page).endswith(b"\ndriftgauge_refresh_success 1.0\n")
        assert front.status().shard == "1/2"
        assert front.status().placed == ("0 of 1 models are on this shard, the others are on shards of their own.",)
    finally:
        front.stop()
