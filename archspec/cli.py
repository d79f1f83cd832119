"""The command line. Each command is a few lines over the verbs of `archspec`, and lives in a `cli_*` file."""

from __future__ import annotations

import gc
import sys
import traceback
from types import TracebackType

import click

from archspec import report
from archspec.cli_analyze import analyze
from archspec.cli_begin import diff, import_, new
from archspec.cli_bench import bench
from archspec.cli_common import Program
from archspec.cli_compare import compare, scale
from archspec.cli_export import doctor, export
from archspec.cli_kernels import kernels
from archspec.cli_model import build
from archspec.cli_plan import plan
from archspec.cli_profile import profile
from archspec.cli_run import run
from archspec.cli_spec import check, explain, fmt, list_, schema, show
from archspec.errors import Diagnostic
from archspec.version import VERSION


@click.group(
    cls=Program,
    commands=[
        check,
        show,
        diff,
        new,
        import_,
        build,
        kernels,
        run,
        export,
        analyze,
        compare,
        scale,
        plan,
        profile,
        bench,
        list_,
        schema,
        explain,
        fmt,
        doctor,
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name="archspec")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an internal error.")
def app() -> None:
    """A model architecture, written once as YAML, and read in many ways.

    SPEC is a name of the library (see `archspec list`) or the path of a YAML file. Exit status: 0, 1 where
    something is wrong with the input, 2 for a wrong command line.
    """


def main() -> None:
    """The console script."""
    sys.excepthook = _crashed
    gc.set_threshold(100_000)  # a command makes many small objects and ends: look for cycles rarely
    app(prog_name="archspec")


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What no verb foresaw: a finding about archspec itself. Python then ends with 1."""
    if "--debug" in sys.argv:
        traceback.print_exception(kind, error, trace)
    reason = f"{kind.__name__}: {error}".rstrip(": ")
    hint = "please report this with the spec; 'archspec --debug …' shows where it happened"
    click.echo(report.render_text([Diagnostic("I000", f"internal error: {reason}", None, hint)]), err=True)
