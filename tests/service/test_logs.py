"""Log lines: one for each event, whatever a server or a file puts into a message."""

import pytest
import structlog

from driftgauge.service.logs import Logs, configure_logging, printable

HOSTILE = 'x\nlevel=info event="forged"\r\x1b[31mRED\x07\x85\u2028ü'


def test_printable() -> None:
    """Nothing is left that ends a line or that a terminal obeys; letters of any language stay."""
    assert printable(HOSTILE) == r'x\nlevel=info event="forged"\r\x1b[31mRED\x07\x85\u2028ü'


@pytest.mark.parametrize("style", ["logfmt", "json"])
def test_an_event_is_one_line(style: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A message from outside cannot add a line or control the terminal."""
    before = structlog.get_config()
    try:
        configure_logging(Logs("info", style))
        structlog.get_logger().warning("refused", error=HOSTILE)
    finally:
        structlog.configure(**before)
    said = capfd.readouterr().err
    assert said.endswith("\n")
    assert said[:-1].isprintable()
    assert "RED" in said
