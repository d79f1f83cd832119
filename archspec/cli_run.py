"""`archspec run`: what a model says to a prompt or an image, or makes of noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import archspec
from archspec import cli_answer
from archspec.cli_answer import Request
from archspec.cli_common import (
    SEED,
    attention_option,
    format_option,
    one_of,
    spec_argument,
    spec_options,
    weights_options,
    working,
)
from archspec.text_tokens import Tokens


def _ids(context: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    """Token ids, separated by commas or spaces."""
    words = (value or "").replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        raise click.BadParameter(f"'{value}' is not a list of token ids, such as 1,2,3", context, parameter)
    return None if value is None else [int(word) for word in words]


def _all_ids(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> list[list[int]]:
    return [_ids(context, parameter, value) or [] for value in values]


def _sizes(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, int]:
    pairs = [value.partition("=") for value in values]
    for name, _, number in pairs:
        if not name or not (number.isascii() and number.isdigit() and 0 < len(number) < 10 and int(number)):
            raise click.BadParameter(f"'{name}={number}' is not NAME=NUMBER", context, parameter)
    return {name: int(number) for name, _, number in pairs}


_FILE: Any = click.Path(path_type=Path)


@click.command()
@spec_argument
@click.option(
    "--prompt-ids", "ids", multiple=True, callback=_all_ids, metavar="IDS",
    help="The prompt as token ids: 1,2,3; or the one id of a class. Repeatable.",
)  # fmt: skip
@click.option(
    "--prompt", "texts", multiple=True, metavar="TEXT", help="The prompt as text; needs --tokenizer."
)
@click.option(
    "--tokenizer", type=_FILE, metavar="FILE",
    help="A tokenizer.json: turns text into ids, and the answer into text.",
)  # fmt: skip
@click.option("--image", "images", multiple=True, type=_FILE, metavar="FILE", help="An image. Repeatable.")
@click.option(
    "--inputs", type=_FILE, metavar="FILE", help="Further inputs by their names, as .safetensors: features."
)
@spec_options
@weights_options
@attention_option
@click.option(
    "--max-new-tokens", type=click.IntRange(0), default=32, show_default=True, metavar="N",
    help="Write at most so many tokens.",
)  # fmt: skip
@click.option(
    "--temperature", type=click.FloatRange(0), metavar="T",
    help="Draw tokens, from probabilities at this temperature. 0 takes the likeliest, as without any option.",
)  # fmt: skip
@click.option(
    "--top-k", type=click.IntRange(1), metavar="K",
    help="Draw from the K likeliest tokens; of classes and pairs, show as many.",
)  # fmt: skip
@click.option(
    "--top-p", type=click.FloatRange(0, 1, min_open=True), metavar="P",
    help="Draw from the fewest tokens of probability P together.",
)  # fmt: skip
@click.option("--seed", type=SEED, metavar="SEED", help="Draw the same tokens, or the same noise, each time.")
@click.option("--eos-id", type=int, metavar="ID", help="Stop after this token.")
@click.option(
    "--start-id",
    type=int,
    metavar="ID",
    help="The first token of a decoder behind an encoder.  [default: the spec's]",
)
@click.option(
    "--steps", type=int, default=50, show_default=True, metavar="N", help="Steps from noise to data."
)
@click.option(
    "--guidance", type=float, metavar="SCALE",
    help="How strongly to follow the prompt; 1 is without guidance.  [default: 7.5, if the spec allows it]",
)  # fmt: skip
@click.option(
    "--negative", metavar="TEXT", help="The prompt that guidance leads away from; needs --tokenizer."
)
@click.option("--negative-ids", callback=_ids, metavar="IDS", help="The same as token ids.")
@click.option(
    "--size", "sizes", multiple=True, callback=_sizes, metavar="NAME=NUMBER",
    help="A size of what is sampled that is known only at run time: H=8. Repeatable.",
)  # fmt: skip
@click.option(
    "-o",
    "--out",
    type=_FILE,
    metavar="FILE",
    help="Write what was sampled: a .png, or numbers as .safetensors.",
)
@format_option
def run(
    spec: str, graph: str | None, preset: str | None, overrides: dict[str, str], tokenizer: Path | None,
    ids: list[list[int]], texts: tuple[str, ...], negative: str | None, negative_ids: list[int] | None,
    **given: Any,
) -> None:  # fmt: skip
    """Run a model on prompts and images, or let it make data of noise.

    Needs --weights, or --init for random ones.

    A decoder continues the prompt, or answers it behind an encoder; its tokens are written as they come.

    A model whose spec says under 'run' how it takes noise away is sampled: the prompt says what of, and --out
    takes the result.

    Of any other model, the shapes of its outputs are written, and the likeliest of what it scores: tokens,
    classes, or which prompt goes with which image. With --graph, a part runs for itself.
    """
    one_of(given["weights"], given["init"], required=True)
    tokens = Tokens.read(tokenizer) if tokenizer else None
    prompts = _prompts(ids, texts, tokens)
    away = _prompts(
        [negative_ids] if negative_ids else [], (negative,) if negative is not None else (), tokens
    )
    request = Request(**given, prompts=prompts, texts=texts, negative=next(iter(away), None), tokens=tokens)
    loaded = archspec.load(spec, graph=graph, preset=preset, overrides=overrides)
    if archspec.samples(loaded):
        cli_answer.sample(request, loaded)
        return
    if not prompts and not request.images and not request.inputs:
        raise click.UsageError("give a prompt as --prompt-ids or as --prompt, an --image, or --inputs")
    with working("making the model"):
        module = archspec.compile(loaded, **request.model())
    (cli_answer.generate if archspec.streams(module) else cli_answer.describe)(request, loaded, module)


def _prompts(ids: Sequence[list[int]], texts: Sequence[str], tokens: Tokens | None) -> tuple[list[int], ...]:
    if ids and texts:
        raise click.UsageError("give a prompt as ids or as text, not both")
    if texts and tokens is None:
        raise click.UsageError("text needs --tokenizer FILE")
    return (*ids, *(tokens.encode(text) for text in texts if tokens))
