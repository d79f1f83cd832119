"""`archspec run`: what a model says to a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

import archspec
from archspec.cli_common import (
    SEED,
    attention_option,
    format_option,
    one_of,
    spec_argument,
    spec_options,
    weights_options,
    working,
    write_json,
)
from archspec.text_tokens import Tokens

if TYPE_CHECKING:
    from torch import nn

    from archspec.decode import Prediction


class Request(Struct, frozen=True):
    """What was asked for on the command line."""

    spec: str
    graph: str | None
    preset: str | None
    overrides: dict[str, str]
    attention: str
    weights: Path | None
    init: int | None
    ids: list[int] | None
    text: str | None
    tokenizer: Path | None
    max_new_tokens: int
    temperature: float | None
    top_k: int | None
    top_p: float | None
    seed: int | None
    eos_id: int | None
    start_id: int | None
    as_json: bool

    def sampling(self) -> dict[str, Any]:
        """How tokens are chosen: the likeliest, unless any option speaks of drawing."""
        draws = (self.top_k, self.top_p, self.seed) != (None, None, None)
        temperature = self.temperature if self.temperature is not None else float(draws)
        return {"temperature": temperature, "top_k": self.top_k, "top_p": self.top_p, "seed": self.seed}


def _ids(context: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    """Token ids, separated by commas or spaces."""
    words = (value or "").replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        raise click.BadParameter(f"'{value}' is not a list of token ids, such as 1,2,3", context, parameter)
    return None if value is None else [int(word) for word in words]


@click.command()
@spec_argument
@click.option("--prompt-ids", "ids", callback=_ids, metavar="IDS", help="The prompt as token ids: 1,2,3.")
@click.option("--prompt", "text", metavar="TEXT", help="The prompt as text; needs --tokenizer.")
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A tokenizer.json: turns text into ids, and the answer into text.",
)
@spec_options
@weights_options
@attention_option
@click.option(
    "--max-new-tokens",
    type=click.IntRange(0),
    default=32,
    show_default=True,
    metavar="N",
    help="When to stop.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    metavar="T",
    help="Draw tokens, from probabilities at this temperature. 0 takes the likeliest, as without any option.",
)
@click.option("--top-k", type=click.IntRange(1), metavar="K", help="Draw from the K likeliest tokens.")
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="P",
    help="Draw from the fewest tokens of probability P together.",
)
@click.option("--seed", type=SEED, metavar="SEED", help="Draw the same tokens each time.")
@click.option("--eos-id", type=int, metavar="ID", help="Stop behind this token.")
@click.option("--start-id", type=int, metavar="ID", help="What the decoder behind an encoder begins with.")
@format_option
def run(**given: Any) -> None:  # fmt: skip
    """Run a model on a prompt.

    A decoder continues the prompt, with a cache, and its tokens are written as they come; behind an encoder
    it answers the prompt. Of a model that does not decode, the shapes of its outputs are written, and the
    likeliest tokens where it scores a vocabulary.
    """
    request = Request(**given)
    one_of(request.weights, request.init, required=True)
    tokens, prompt = _prompt(request)
    spec = archspec.load(
        request.spec, graph=request.graph, preset=request.preset, overrides=request.overrides
    )
    with working("making the model"):
        module = archspec.compile(
            spec, attention=request.attention, weights=request.weights, seed=request.init
        )
    if archspec.streams(module):
        start = request.start_id if request.start_id is not None else archspec.start_token(spec)
        _answer(request, tokens, prompt, _generated(request, module, prompt, start))
    else:
        _describe(request, tokens, archspec.predict(module, prompt))


def _prompt(request: Request) -> tuple[Tokens | None, list[int]]:
    if (request.ids is None) == (request.text is None):
        raise click.UsageError("give the prompt as --prompt-ids or as --prompt, not both")
    tokens = Tokens.read(request.tokenizer) if request.tokenizer else None
    if request.text is None:
        return tokens, request.ids or []
    if tokens is None:
        raise click.UsageError("--prompt needs --tokenizer FILE")
    return tokens, tokens.encode(request.text)


def _generated(request: Request, module: nn.Module, prompt: Sequence[int], start: int) -> Iterator[int]:
    limit, eos = request.max_new_tokens, request.eos_id
    return archspec.generate(module, prompt, limit=limit, start=start, eos=eos, **request.sampling())


def _answer(request: Request, tokens: Tokens | None, prompt: list[int], generated: Iterator[int]) -> None:
    """Writes tokens as they come, or one JSON document at the end."""
    if request.as_json:
        ids = list(generated)
        text = {"text": tokens.decode(ids)} if tokens else {}
        write_json({"prompt": prompt, "ids": ids, **text})
        return
    try:
        for piece in tokens.pieces(generated) if tokens else _words(generated):
            click.echo(piece, nl=False)
    finally:
        click.echo()


def _words(ids: Iterator[int]) -> Iterator[str]:
    for number, token in enumerate(ids):
        yield f" {token}" if number else str(token)


def _describe(request: Request, tokens: Tokens | None, predictions: Sequence[Prediction]) -> None:
    if request.as_json:
        write_json([prediction.record() for prediction in predictions])
        return
    name: Callable[[int], str] = tokens.name if tokens else str
    for prediction in predictions:
        click.echo(f"{prediction.name} {list(prediction.shape)}")
        for position, likeliest in enumerate(prediction.likeliest):
            shown = "  ".join(f"{name(token)} {share:.3g}" for token, share in likeliest)
            click.echo(f"  {position}: {shown}")
