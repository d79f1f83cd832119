"""docs/cli.md is what the commands say of themselves; `--update-goldens` writes it anew."""

from typing import Any

import click
import pytest

from archspec.cli import app
from tests.cli.runner import ROOT

PAGE = ROOT / "docs" / "cli.md"
HEAD = """\
# The command line

Results go to stdout, diagnostics to stderr; `--format json` writes both for tools. The exit status is 0, or 1
where something is wrong with the input, 2 for a wrong command line, 130 after Ctrl-C. This page is made from
the help of the commands.
"""


def page() -> str:
    """Every command's help, under a heading of its name."""
    settings: Any = {**app.context_settings, "terminal_width": 100}
    context = click.Context(app, info_name="archspec", **settings)
    inner = {name: click.Context(each, context, name, **settings) for name, each in app.commands.items()}
    sections = [_section(app, context), *(_section(app.commands[name], inner[name]) for name in inner)]
    return "\n".join([HEAD, *sections])


def _section(command: click.Command, context: click.Context) -> str:
    return f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"


def test_the_page_is_up_to_date(request: pytest.FixtureRequest):
    if request.config.getoption("--update-goldens"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page(), "run pytest with --update-goldens"


def test_every_command_and_option_says_what_it_does():
    for name, command in app.commands.items():
        assert command.help, name
        for option in command.params:
            assert isinstance(option, click.Argument) or getattr(option, "help", None), (
                f"{name} {option.name}"
            )
