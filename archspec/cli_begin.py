"""Commands that begin a spec, or set two side by side: new, import, diff. None of them needs torch."""

from __future__ import annotations

from pathlib import Path

import click

import archspec
from archspec import library
from archspec.atomic import write_new_text, write_text
from archspec.cli_common import FINDINGS, format_option, load_named, write_json

_OUT = click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to a file, not to stdout."
)


@click.command()
@click.argument("name")
@click.option("--from", "base", metavar="SPEC", help="Extend this spec, and list what can be changed in it.")
@click.option(
    "--template",
    type=click.Choice(library.templates()),
    help="Begin with this kind of model.  [default: decoder]",
)
@_OUT
def new(name: str, base: str | None, template: str | None, out: Path | None) -> None:
    """Begin a spec: a small model with comments, to be changed, or an extension of SPEC.

    A file that is there is not written over.
    """
    if base and template:
        raise click.UsageError("--from and --template exclude each other")
    text = archspec.new(name, base=base, template=template or "decoder")
    if out is None:
        click.echo(text, nl=False)
    else:
        write_new_text(out, text)
        click.echo(str(out))


@click.command("import")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--from", "base", metavar="SPEC", help="Start from this spec, not from one of the library.")
@click.option("--name", metavar="NAME", help="The name of the spec.  [default: the folder's]")
@_OUT
@format_option
def import_(config: Path, base: str | None, name: str | None, out: Path | None, as_json: bool) -> None:
    """Make a spec of a published configuration.

    CONFIG is the config.json of a model in transformers or diffusers format, or its folder, or the
    folder of a system with a model_index.json. The result extends a spec of the library, with the
    params that differ. A field that the library does not understand is an error: nothing is guessed,
    and nothing left out in silence.
    """
    made = archspec.import_config(config, base=base, name=name)
    if out is not None:
        write_text(out, made.text)
    if as_json:
        write_json(made.record())
    else:
        click.echo(made.text if out is None else str(out), nl=out is not None)


@click.command()
@click.argument("before", metavar="SPEC[:PRESET]")
@click.argument("after", metavar="SPEC[:PRESET]")
@click.option("--exit-code", is_flag=True, help="End with 1 where there is a difference.")
@format_option
def diff(before: str, after: str, exit_code: bool, as_json: bool) -> None:
    """Compare what two specs mean.

    Params, modules with their arguments, sizes, inputs and outputs; nothing is written where the two mean
    the same.
    """
    found = archspec.diff(load_named(before), load_named(after))
    write_json(found.record()) if as_json else click.echo(str(found), nl=False)
    if found and exit_code:
        click.get_current_context().exit(FINDINGS)
