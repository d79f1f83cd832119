"""The command about generated kernels. It needs neither torch nor a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

import archspec
from archspec.cli_common import sized, spec_argument, spec_options, table_format_option, write_tables

if TYPE_CHECKING:
    from archspec.reports.table import Form


@click.command()
@spec_argument
@click.argument("sizes", metavar="[SIZE=NUMBER]...", nargs=-1, callback=sized)
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="DIR", help="Write the files there.")
@spec_options
@table_format_option
def kernels(
    spec: str, sizes: dict[str, int], out: Path | None, graph: str | None, preset: str | None,
    overrides: dict[str, str], form: Form | Literal["json"],
) -> None:  # fmt: skip
    """Show the Triton kernels of a model's attention: which tiles they visit, and why.

    One file for each structure of attention, whatever its sizes. With sizes, S=4096, the tiles are counted.
    """
    loaded = archspec.load(spec, graph=graph, preset=preset, overrides=overrides)
    tables = archspec.kernel_tables(loaded, sizes)
    if tables or form == "json":
        write_tables(tables, form)
    else:
        click.echo(f"{loaded.name} has no attention")
    if out is not None:
        written = archspec.write_kernels(loaded, out)
        click.echo("\n".join(map(str, written)), err=True)
