"""What runs on GitHub, by the schemas of its files and by our own rules; `make release-check` is what they run."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from check_jsonschema import main
from click.testing import CliRunner

ROOT: Final = Path(__file__).parent.parent.parent
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS: Final = [ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml" for name in ("bug", "feature")]
SCHEMAS: Final = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"],
}
# What a job may do beyond reading the repository, and why is said in the workflow.
WRITES: Final = {
    ("release", "pypi"): {"id-token": "write"},
    ("release", "image"): {"contents": "read", "packages": "write"},
    ("release", "chart"): {"contents": "read", "packages": "write"},
}


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in _read(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_schemas(schema: str) -> None:
    """GitHub reads each file, and no job can run for ever."""
    shown = CliRunner().invoke(main, ["--builtin-schema", schema, *map(str, SCHEMAS[schema])])

    assert shown.exit_code == 0, shown.output


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned(path: Path) -> None:
    """Each is named by a commit, which nobody can move, next to the version that it is."""
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    pinned = [text for text in used if re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", text)]

    assert used == pinned
    assert used


def test_an_action_is_everywhere_of_one_version() -> None:
    """So an update is one thing to look at."""
    used = {text for path in WORKFLOWS for text in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))}
    names = [text.partition("@")[0] for text in used]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_permissions(path: Path) -> None:
    """A job reads the repository, and has more only where the table above says so; nothing keeps a token on disk."""
    workflow = _read(path)
    more = {(path.stem, name): job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}

    assert workflow["permissions"] == {"contents": "read"}
    assert more == {key: value for key, value in WRITES.items() if key[0] == path.stem}
    checkouts = [step for step in _steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_from_outside_becomes_a_command(path: Path) -> None:
    """What others choose (titles, branches, tags) reaches a shell as a variable only."""
    assert [step["run"] for step in _steps(path) if "${{" in step.get("run", "")] == []


def test_ci_runs_what_is_supported() -> None:
    """The same `make test` as here, on each Python that the distribution names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [text.rpartition(" ")[2] for text in project["classifiers"] if text.startswith("Programming Language")]
    jobs = _read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]

    assert jobs["test"]["strategy"]["matrix"]["python"] == named
    assert jobs["test"]["steps"][-1]["run"].startswith("make test ")
    assert jobs["release-check"]["steps"][-1]["run"].startswith("make release-check ")


def test_a_release_waits_for_its_checks() -> None:
    """Nothing is published before tests and release check; the image has provenance, SBOM and two architectures."""
    jobs = _read(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    build = " ".join(step.get("run", "") for step in jobs["build"]["steps"])
    (image,) = (step["with"] for step in jobs["image"]["steps"] if "build-push" in step.get("uses", ""))

    assert "make test release-check " in build
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "build": None, "pypi": "build", "image": "build", "chart": "image"
    }  # fmt: skip
    assert image["platforms"] == "linux/amd64,linux/arm64"
    assert (image["provenance"], image["sbom"]) == ("mode=max", True)


def test_the_tag_is_compared_with_the_version() -> None:
    """The command of the release finds the version where it is."""
    (step,) = (s for s in _steps(ROOT / ".github" / "workflows" / "release.yml") if "tag" in s.get("name", ""))

    for tag, status in ((f"v{_version()}", 0), ("v99.0.0", 1)):
        command = ["bash", "-euo", "pipefail", "-c", step["run"]]
        assert subprocess.run(command, cwd=ROOT, env={"GITHUB_REF_NAME": tag}, check=False).returncode == status


def _version() -> str:
    client = (ROOT / "exporter" / "driftgauge" / "__init__.py").read_text(encoding="utf-8")
    return client.rpartition('__version__ = "')[2].partition('"')[0]


def test_pre_commit_runs_what_ci_runs() -> None:
    """Its hooks are the parts of `make test`, no more and no fewer, whatever is added to it."""
    hooks = [
        hook["entry"] for repository in _read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]
    ]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^test: (.*)\n\t\$\(MAKE\) --jobs=\d (.*)$", makefile, re.MULTILINE)

    assert found is not None
    assert sorted(hooks) == sorted(f"make {name}" for part in found.groups() for name in part.split())
