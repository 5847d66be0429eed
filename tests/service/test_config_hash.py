"""The hash of the configuration in force tells another one from the same one."""

from driftgauge.config import Config, parse
from driftgauge.pipeline.monitored import Monitored, in_force
from driftgauge.service.config_hash import ConfigHash

HEAD = """mlflow: {tracking_uri: "http://m"}
models: [{name: churn, predictions: {experiment: /m}, monitoring: "models:/c@a/x"}]
"""


def config(text: str = HEAD, **environ: str) -> Config:
    """Return a configuration."""
    return parse(text, filename="driftgauge.yml", environ=environ)


def test_what_is_the_same_and_what_is_not() -> None:
    """Spelling, secrets and the folder of a replica make no difference; settings and what versions say do."""
    same = {
        ConfigHash(each).of([Monitored()])
        for each in (
            config(),
            config(f"# a comment\n{HEAD}windows: [1h, 24h, 7d]\n"),
            config(f"{HEAD}state_dir: /elsewhere\n"),
        )
    }
    one, other = (in_force(config().models[0], f"threshold: {n}", identity="i") for n in (0.4, 0.6))
    others = {
        ConfigHash(config()).of([one]),
        ConfigHash(config()).of([other]),
        ConfigHash(config(f"{HEAD}windows: [1h, 24h]\n")).of([Monitored()]),
    }
    assert len(same) == 1
    assert len(same | others) == 4
    assert all(found == int(found) and 0 <= found < 2**48 for found in same | others)
    secrets = [config(HEAD.replace("//m", "//u:${PASSWORD}@m"), PASSWORD=each) for each in ("geheim-1", "geheim-2")]
    assert len({ConfigHash(each).of([Monitored()]) for each in secrets}) == 1
