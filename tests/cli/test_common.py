"""What is written to a terminal, and only there."""

import io
import sys

import pytest

from archspec.cli_common import working, write_findings
from archspec.errors import ArchspecError, Diagnostic


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal as stderr. Not a fixture: pytest takes stderr back before a test begins."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_long_work_is_announced_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    terminal = on_terminal(monkeypatch)
    with working("reading the weights"):
        pass
    assert "reading the weights" in terminal.getvalue()


def test_long_work_is_quiet_elsewhere(monkeypatch: pytest.MonkeyPatch):
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with working("reading the weights"):
        pass
    assert file.getvalue() == ""


def test_findings_are_coloured_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    terminal = on_terminal(monkeypatch)
    write_findings(ArchspecError(Diagnostic("X001", "no")))
    assert terminal.getvalue() == "\x1b[1;31mX001\x1b[0m no\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_turned_off(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    terminal = on_terminal(monkeypatch)
    monkeypatch.setenv(name, value)
    write_findings(ArchspecError(Diagnostic("X001", "no")))
    assert terminal.getvalue() == "X001 no\n"
