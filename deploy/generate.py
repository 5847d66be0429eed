#!/usr/bin/env python3
"""Writes what of the Helm chart and of the plain manifests is made of other files.

generate.py            write the files
generate.py --check    exit with 1 when one of them is not what would be written

- the chart's rules and dashboards: those of this repository, which `driftgauge generate` renders before
- `config` in values.schema.json: the keys that the exporter's configuration has
- the table of values in the chart's README: the comments of values.yaml
- kubernetes/: the chart as it renders without any values
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import helm_python
import yaml

from driftgauge.config.sections import Config, Section

REPOSITORY: Final = Path(__file__).resolve().parents[1]
CHART: Final = REPOSITORY / "deploy" / "helm" / "driftgauge"
MANIFESTS: Final = REPOSITORY / "deploy" / "kubernetes"

# The chart says where the state is.
_NOT_IN_VALUES: Final = "state_dir"
_TABLE: Final = re.compile(r"(<!-- values:.*? -->\n).*?(<!-- end -->)", re.DOTALL)
_COMMENT: Final = "# -- "
# What objects have no use for that nobody installs with Helm, in a namespace that kubectl is given.
_ONLY_HELM: Final = re.compile(
    r"^ *(?:helm\.sh/chart|app\.kubernetes\.io/managed-by|namespace|checksum/config): .*\n", re.MULTILINE
)
_HEAD: Final = "# Rendered from deploy/helm/driftgauge by `make generate`; do not edit.\n"


def main(arguments: Sequence[str]) -> int:
    """Write or check the files, and return the exit code."""
    parser = argparse.ArgumentParser(description="Write what of deploy/ is made of other files.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file is out of date")
    check = parser.parse_args(arguments).check
    wrong = [path for path, text in copies().items() if _differs(path, text, check=check)]
    made = {CHART / "values.schema.json": schema(), CHART / "README.md": readme()}
    wrong += [path for path, text in made.items() if _differs(path, text, check=check)]
    # Last, for it renders what was written before.
    rendered = manifests()
    wrong += [path for path, text in rendered.items() if _differs(path, text, check=check)]
    wrong += [path for path in _others({*copies(), *rendered}) if _is_left(path, check=check)]
    for path in wrong:
        sys.stderr.write(f"{path.relative_to(REPOSITORY)} is not what would be written: run `make generate`\n")
    return 1 if wrong else 0


def copies() -> dict[Path, str]:
    """Return the chart's rules and dashboards by path."""
    sources = [("rules", path) for path in (REPOSITORY / "alerting-rules").glob("*.rules.yml")]
    sources += [("dashboards", path) for path in (REPOSITORY / "dashboards").glob("*.json")]
    return {CHART / "files" / kind / path.name: path.read_text(encoding="utf-8") for kind, path in sorted(sources)}


def schema() -> str:
    """Return values.schema.json with the keys of the configuration as they are now."""
    values = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    config = _section(Config)
    del config["properties"][_NOT_IN_VALUES]
    # Without models it is the chart that says what to do.
    del config["required"]
    values["properties"]["config"] = config
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _section(section: type[Section]) -> dict[str, Any]:
    """Return the schema of a section: its keys are checked here, their values by the exporter, who knows `${NAME}`."""
    required = [name for name, field in section.model_fields.items() if field.is_required()]
    return {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {name: _value(field.annotation) for name, field in section.model_fields.items()},
        **({"required": required} if required else {}),
    }


def _value(annotation: Any) -> dict[str, Any]:
    if (section := _section_in(annotation)) is None:
        return {}
    if "tuple" in str(annotation):
        return {"type": ["array", "null"], "items": _section(section)}
    return _section(section)


def _section_in(annotation: Any) -> type[Section] | None:
    """Return the section in an optional one or in a list of them. Values of mappings have keys of the user's."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if "dict" in str(annotation):
        return None
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)


def readme() -> str:
    """Return the chart's README with the table of values.yaml."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    rows = [f"| `{key}` | {default} | {words} |\n" for key, default, words in _rows(root, "", text.splitlines())]
    table = "".join(["| value | default | |\n|---|---|---|\n", *rows])
    return _TABLE.sub(lambda found: found[1] + table + found[2], (CHART / "README.md").read_text(encoding="utf-8"))


def _rows(node: yaml.MappingNode, place: str, lines: list[str]) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        name, words = f"{place}{key.value}", _comment(lines, key.start_mark.line)
        nested = isinstance(value, yaml.MappingNode)
        if words:
            inside = list(_rows(value, f"{name}.", lines)) if nested else []
            default = "below" if inside else f"`{json.dumps(_plain(value), ensure_ascii=False)}`"
            yield name, default, words
            yield from inside
        elif nested:
            yield from _rows(value, f"{name}.", lines)


def _plain(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    return loader.construct_document(node)


def _comment(lines: list[str], line: int) -> str:
    """Return what is said above a line, from its `# --` on."""
    words: list[str] = []
    for above in reversed(lines[:line]):
        text = above.strip()
        if text.startswith(_COMMENT):
            return " ".join([text.removeprefix(_COMMENT), *words]).replace("|", "\\|")
        if not text.startswith("# "):
            break
        words.insert(0, text.removeprefix("# "))
    return ""


def manifests() -> dict[Path, str]:
    """Return the plain manifests by path, and the kustomization that names them."""
    with helm_python.Chart.load(CHART) as chart:
        rendered = chart.render(name="driftgauge", namespace="default")
    texts = {Path(name).name: _ONLY_HELM.sub("", text).strip() for name, text in rendered.items()}
    objects = {name: f"{_HEAD}{text}\n" for name, text in sorted(texts.items()) if text and name.endswith(".yaml")}
    listed = "".join(f"  - {name}\n" for name in objects)
    kustomization = f"{_HEAD}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{listed}"
    return {MANIFESTS / name: text for name, text in {**objects, "kustomization.yaml": kustomization}.items()}


def _differs(path: Path, text: str, *, check: bool) -> bool:
    """Write the file unless it is only to be checked; return whether it is to be reported."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return check


def _others(ours: set[Path]) -> list[Path]:
    """Return the files that lie where only ours belong."""
    found = (*CHART.glob("files/*/*"), *MANIFESTS.glob("*.yaml"))
    return sorted(path for path in found if path not in ours)


def _is_left(path: Path, *, check: bool) -> bool:
    if not check:
        path.unlink()
    return check


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
