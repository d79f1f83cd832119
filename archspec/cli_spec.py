"""Commands about documents: check, show, list, schema, explain, fmt. None of them needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

import archspec
from archspec import explain as codes
from archspec.cli_common import FINDINGS, format_option, spec_argument, spec_options, write_json
from archspec.errors import ArchspecError, Collector

if TYPE_CHECKING:
    from archspec.api import Form


@click.command()
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@spec_options
@format_option
def check(
    specs: tuple[str, ...], graph: str | None, preset: str | None, overrides: dict[str, str], as_json: bool
) -> None:
    """Prove that a spec is right.

    That it is well formed, that its parts fit together, that it has the parameters it states, and that its
    weight maps lose nothing. All findings are shown, each at its line.
    """
    found, records = Collector(), list[dict[str, object]]()
    for spec in specs:
        try:
            checked = archspec.check(archspec.load(spec, graph=graph, preset=preset, overrides=overrides))
        except ArchspecError as error:
            found.extend(error)
            continue
        records.append(checked.record())
        if not as_json:
            click.echo(str(checked))
    if as_json:
        write_json(records)
    found.raise_if_any()


@click.command()
@spec_argument
@spec_options
@click.option(
    "--resolved", "form", flag_value="resolved", help="The document with everything applied, as YAML."
)
@click.option("--ir", "form", flag_value="ir", help="The graph as text; it reads back to the same graph.")
@click.option("--why", "path", metavar="PATH", help="Where a part comes from: h.0.attn.qkv.weight, h.*.attn.")
@format_option
def show(
    spec: str,
    graph: str | None,
    preset: str | None,
    overrides: dict[str, str],
    form: Form | None,
    path: str | None,
    as_json: bool,
) -> None:
    """Write a spec out: an outline of the model, or what an option asks for."""
    if form and path:
        raise click.UsageError("--resolved, --ir and --why exclude each other")
    loaded = archspec.load(spec, graph=graph, preset=preset, overrides=overrides)
    if path:
        origin = archspec.why(loaded, path)
        write_json(origin.record()) if as_json else click.echo(str(origin), nl=False)
    elif as_json:
        write_json({form: archspec.show(loaded, form)} if form else archspec.outline(loaded).record())
    else:
        click.echo(archspec.show(loaded, form or "outline"), nl=False)


@click.command("list")
@click.option("--ops", is_flag=True, help="The components of the language and their arguments instead.")
@format_option
def list_(ops: bool, as_json: bool) -> None:
    """The specs of the library with their presets and parameter counts."""
    if ops:
        words = archspec.vocabulary()
        write_json([word.record() for word in words]) if as_json else click.echo("\n\n".join(map(str, words)))
        return
    entries = archspec.catalog()
    write_json([entry.record() for entry in entries]) if as_json else click.echo(
        "\n\n".join(map(str, entries))
    )


@click.command()
def schema() -> None:
    """The JSON Schema of a spec, for editors."""
    write_json(archspec.schema())


@click.command()
@click.argument("code", required=False)
@format_option
def explain(code: str | None, as_json: bool) -> None:
    """What a diagnostic's CODE means, with an example; without CODE, all codes."""
    if code is None:
        known = codes.codes()
        write_json(known) if as_json else click.echo(
            "\n".join(f"{key} {slug}" for key, slug in known.items())
        )
        return
    text = codes.explain(code)
    write_json({"code": code.strip().upper(), "text": text}) if as_json else click.echo(text, nl=False)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Write nothing; end with 1 if a file would change.")
@format_option
def fmt(files: tuple[Path, ...], only_check: bool, as_json: bool) -> None:
    """Give documents the canonical layout; names those that change."""
    found, changed = Collector(), list[str]()
    for file in files:
        try:
            changed += [str(file)] if archspec.fmt(file, write=not only_check) else []
        except ArchspecError as error:
            found.extend(error)
    if as_json:
        write_json(changed)
    elif changed:
        click.echo("\n".join(changed))
    found.raise_if_any()
    if only_check and changed:
        click.get_current_context().exit(FINDINGS)
