"""What commands share: options, how results and findings are written, how a command ends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

import archspec
from archspec import report
from archspec.errors import ArchspecError

if TYPE_CHECKING:
    from archspec.reports.table import Form, Table
    from archspec.spec.spec import Spec

FINDINGS, INTERRUPTED = 1, 130
_FORMAT = "archspec.format"
_ATTENTION = ("sdpa", "eager", "flex", "triton", "auto")
SEED = click.IntRange(0, 2**32 - 1)

Command = TypeVar("Command", bound=Callable[..., Any])


class Program(click.Group):
    """The command line as a whole: findings go to stderr and end with 1, Ctrl-C ends with 130."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order they are given in: what one does first comes first."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ArchspecError as error:
            write_findings(error)
            ctx.exit(FINDINGS)
        except KeyboardInterrupt:
            click.echo("", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # whoever read the results has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


def write_findings(error: ArchspecError) -> None:
    """The diagnostics on stderr, in colour on a terminal, as JSON behind `--format json`."""
    context = click.get_current_context(silent=True)
    as_json = context is not None and context.meta.get(_FORMAT) == "json"
    found = error.diagnostics
    text = report.render_json(found) if as_json else report.render_text(found, color=_in_color())
    click.echo(text, err=True, color=True)


def _in_color() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def write_json(value: object) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def write_tables(tables: Sequence[Table], form: Form | Literal["json"]) -> None:
    """Tables on stdout, in the form that was asked for."""
    if form == "json":
        write_json([table.record() for table in tables])
    else:
        click.echo(archspec.render(tables, form), nl=False)


def sized(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, int]:
    """`B=8 S=1024` as numbers, each name once. What is no number is a wrong command line."""
    sizes = dict[str, int]()
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not text.lstrip("-").isdecimal() or not name:
            raise click.BadParameter(f"'{value}' is not SIZE=NUMBER", context, parameter)
        if name in sizes:
            raise click.BadParameter(f"{name} is given twice", context, parameter)
        sizes[name] = int(text)
    return sizes


@contextmanager
def working(text: str) -> Generator[None]:
    """Says on stderr what takes long, if that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # lazy: only long work on a terminal needs it

    with Console(stderr=True).status(text):
        yield


def format_option(command: Command) -> Command:
    """`--format`: results and diagnostics for people or for tools; commands get `as_json`."""
    return click.option(
        "--format",
        "as_json",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        callback=_remember_format,
        is_eager=True,
        help="Write results, and diagnostics, for people or for tools.",
    )(command)


def table_format_option(command: Command) -> Command:
    """`--format` of commands that answer in tables, as the argument `form`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json", "csv", "markdown"]),
        default="text",
        show_default=True,
        callback=_remember_form,
        is_eager=True,
        help="Write tables for people, tools, sheets or pages; json writes diagnostics for tools too.",
    )(command)


def _remember_form(context: click.Context, _: click.Parameter, value: str) -> str:
    context.meta[_FORMAT] = value
    return value


def _remember_format(context: click.Context, _: click.Parameter, value: str) -> bool:
    context.meta[_FORMAT] = value
    return value == "json"


def spec_options(command: Command) -> Command:
    """`--graph`, `--preset` and `--set`, as the arguments `graph`, `preset` and `overrides`."""
    command = click.option(
        "--set",
        "overrides",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_pairs,
        help="Set a param; VALUE is YAML: a number, a word, a list or an expression. Repeatable.",
    )(command)
    command = click.option("--preset", metavar="NAME", help="Take the params of one of the spec's presets.")(
        command
    )
    return click.option("--graph", metavar="NAME", help="Take one part of the spec, of those in 'graphs'.")(
        command
    )


def _pairs(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not name.strip() or not equals:
            raise click.BadParameter(f"'{value}' is not NAME=VALUE", context, parameter)
        pairs[name.strip()] = text
    return pairs


def load_named(text: str) -> Spec:
    """`SPEC` or `SPEC:PRESET`. Raises what `load` raises."""
    spec, colon, preset = text.rpartition(":")
    if not colon or not spec or Path(text).exists():
        return archspec.load(text)
    return archspec.load(spec, preset=preset)


spec_argument = click.argument("spec", metavar="SPEC")


def weights_options(command: Command) -> Command:
    """`--weights` and `--init`."""
    command = click.option(
        "--init", type=SEED, metavar="SEED", help="Start the weights as the reference does, from this seed."
    )(command)
    return click.option(
        "--weights",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="Take the weights from a checkpoint: a folder in Hugging Face format, or a safetensors file.",
    )(command)


def attention_option(command: Command) -> Command:
    """`--attention`."""
    return click.option(
        "--attention",
        type=click.Choice(_ATTENTION),
        default="sdpa",
        show_default=True,
        help="PyTorch's fused attention, eager, FlexAttention, Triton kernels, or what suits each layer.",
    )(command)


def one_of(weights: Path | None, init: int | None, *, required: bool) -> None:
    """Raises UsageError where both sources of weights are given, or none and one is `required`."""
    if weights is not None and init is not None:
        raise click.UsageError("--weights and --init exclude each other")
    if required and weights is None and init is None:
        raise click.UsageError("give --weights PATH, or --init SEED for random weights")
