"""The command that plans: layouts for training, devices for serving. It needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import archspec
from archspec.cli_budget import Quantity
from archspec.cli_common import load_named, table_format_option, write_tables
from archspec.quantity import Kind, quantity

if TYPE_CHECKING:
    from archspec.reports.table import Form

Words = tuple[list[str], dict[str, int]]


def _specs_and_sizes(context: click.Context, parameter: click.Parameter, words: Sequence[str]) -> Words:
    """`SPEC:PRESET SPEC S=4096`: specs, and sizes by name."""
    sizes, specs = dict[str, int](), list[str]()
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or Path(word).exists():
            specs.append(word)
        elif name and text.lstrip("-").isdecimal():
            sizes[name] = int(text)
        else:
            raise click.BadParameter(f"'{word}' is not SIZE=NUMBER", context, parameter)
    if not specs:
        raise click.BadParameter("name a spec", context, parameter)
    return list(dict.fromkeys(specs)), sizes


class Named(click.ParamType["tuple[str, float]"]):
    """`SPEC=NUMBER`, or a number for all specs, as a pair."""

    name = "named"

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        spec, _, text = str(value).rpartition("=")
        try:
            return spec, quantity(text, self.kind)
        except ValueError as error:
            self.fail(f"'{value}' is not SPEC=NUMBER: {error}", param, ctx)


def _each(name: str, words: str, kind: Kind = "count") -> Any:
    return click.option(
        f"--{name}",
        name.replace("-", "_"),
        type=Named(kind),
        multiple=True,
        metavar="[SPEC=]N",
        help=f"Serving: {words}.",
    )


@click.command()
@click.argument("words", metavar="SPEC[:PRESET]... [SIZE=NUMBER]...", nargs=-1, callback=_specs_and_sizes)
@click.option(
    "--device", required=True, metavar="NAME", help="Which device: h100, a100-80gb, or a YAML file."
)
@click.option("--gpus", type=int, required=True, metavar="N", help="How many of it there are.")
@click.option(
    "--per-node", type=int, metavar="N", help="How many its link joins.  [default: as its file says]"
)
@click.option(
    "--network", type=float, default=25e9, show_default=True, metavar="BYTES/S",
    help="Between nodes, in one direction, for each device.",
)  # fmt: skip
@click.option(
    "--reserve", type=Quantity("bytes"), default="4GiB", show_default=True, metavar="BYTES",
    help="What stays free on a device, for the runtime, buffers and gaps.",
)  # fmt: skip
@click.option("--batch", type=int, metavar="N", help="Training: sequences of a step.")
@click.option("--precision", default="mixed", show_default=True, help="Training: the dtype policy.")
@click.option("--optimizer", default="adam", show_default=True, help="Training: what keeps moments.")
@click.option(
    "--checkpoint", default="any", show_default=True,
    help="Training: what is computed again: none, selective, full, or any that fits.",
)  # fmt: skip
@click.option("--long", is_flag=True, help="Training: try to spread sequences over devices, too.")
@click.option("--tokens", type=Quantity("count"), metavar="N", help="Training: tokens of the whole run.")
@click.option(
    "--top", type=click.IntRange(1, 50), default=10, show_default=True, help="Training: layouts shown."
)
@click.option("--serve", is_flag=True, help="Plan serving, of all SPECs together.")
@_each("load", "requests a second")
@_each("in", "tokens of a request  [default: 512]")
@_each("out", "tokens of an answer  [default: 128]")
@_each("steps", "steps of sampling  [default: 50]")
@_each("max-latency", "mean time of a request, at most, such as 200ms", "seconds")
@click.option("--dtype", default="bfloat16", show_default=True, help="Serving: the dtype of the models.")
@table_format_option
def plan(
    words: Words, device: str, gpus: int, per_node: int | None, network: float, reserve: float, serve: bool,
    top: int, form: Form | Literal["json"], **asked: Any,
) -> None:  # fmt: skip
    """Split training over devices, or place models that serve on them.

    Training (SPEC S=4096 --batch 512): layouts that fit, ranked by the time of a step. Serving (--serve SPEC
    SPEC --load SPEC=20 --load SPEC=2): the fewest devices that carry the load. Times are ranges.
    """
    specs, sizes = words
    cluster = archspec.Cluster(archspec.device(device), gpus, per_node, network, int(reserve))
    made = _serving(specs, sizes, cluster, asked) if serve else _training(specs, sizes, cluster, asked)
    tables = archspec.plan_tables(made, top)
    write_tables(tables, form)


def _training(
    specs: list[str], sizes: dict[str, int], cluster: archspec.Cluster, asked: Mapping[str, Any]
) -> Any:
    if len(specs) > 1:
        raise click.UsageError("training is planned for one spec; --serve places several")
    if asked["batch"] is None:
        raise click.UsageError("give the sequences of a step: --batch N")
    words = ("batch", "precision", "optimizer", "checkpoint", "long", "tokens")
    goal = archspec.TrainingGoal(sizes=sizes, **{word: asked[word] for word in words})
    return archspec.plan(load_named(specs[0]), cluster, goal)


def _serving(
    specs: list[str], sizes: dict[str, int], cluster: archspec.Cluster, asked: Mapping[str, Any]
) -> Any:
    loaded = {name: load_named(name) for name in specs}
    words = {"load": "rate", "in": "inputs", "out": "outputs", "steps": "steps", "max_latency": "max_latency"}
    told = {name: dict[str, Any](sizes=sizes) for name in specs}
    for word, field in words.items():
        for name, value in asked[word]:
            for one in [name] if name else specs:
                told.setdefault(one, {})[field] = value if field in ("rate", "max_latency") else int(value)
    demands = {name: archspec.Demand(**fields) for name, fields in told.items() if "rate" in fields}
    return archspec.plan_serving(loaded, cluster, demands, dtype=asked["dtype"])
