"""How the Markdown templates of this package are read."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def prose(folder: str) -> Environment:
    """Return an environment for the templates in a folder; `cell` escapes what would end the cell of a table."""
    environment = Environment(
        loader=PackageLoader("driftgauge.generator", folder),
        autoescape=False,  # noqa: S701 - Markdown, in which only the cells of a table need escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: text.replace("|", "\\|")
    return environment
