"""What `archspec run` writes: tokens as they come, outputs of one pass, or what was made of noise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

import archspec
from archspec.cli_common import working, write_json
from archspec.text_tokens import Tokens

if TYPE_CHECKING:
    from torch import Tensor, nn

    from archspec.pipelines.parts import Parts
    from archspec.pipelines.predictions import Prediction
    from archspec.spec.spec import Spec

_SHOWN = 5


class Request(Struct, frozen=True):
    """What was asked for on the command line. `prompts` are token ids, `texts` what they were, if text."""

    attention: str
    weights: Path | None
    init: int | None
    images: tuple[Path, ...]
    inputs: Path | None
    max_new_tokens: int
    temperature: float | None
    top_k: int | None
    top_p: float | None
    seed: int | None
    eos_id: int | None
    start_id: int | None
    steps: int
    guidance: float | None
    sizes: Mapping[str, int]
    out: Path | None
    as_json: bool
    prompts: tuple[list[int], ...]
    texts: tuple[str, ...]
    negative: list[int] | None
    tokens: Tokens | None

    def sampling(self) -> dict[str, Any]:
        """How tokens are chosen: the likeliest, unless any option speaks of drawing."""
        draws = (self.top_k, self.top_p, self.seed) != (None, None, None)
        temperature = self.temperature if self.temperature is not None else float(draws)
        return {"temperature": temperature, "top_k": self.top_k, "top_p": self.top_p, "seed": self.seed}

    def tensors(self) -> dict[str, Tensor]:
        """Further inputs by name."""
        return {} if self.inputs is None else archspec.load_tensors(self.inputs)

    def model(self) -> dict[str, Any]:
        """How the model is made."""
        return {"attention": self.attention, "weights": self.weights, "seed": self.init}


def generate(request: Request, spec: Spec, module: nn.Module) -> None:
    """Writes tokens as they come, or one JSON document at the end."""
    if len(request.prompts) > 1 or request.images:
        raise click.UsageError("a decoder takes one prompt, and no image")
    prompt, tokens = request.prompts[0] if request.prompts else [], request.tokens
    start = request.start_id if request.start_id is not None else archspec.start_token(spec)
    generated = archspec.generate(
        module, prompt, limit=request.max_new_tokens, start=start, eos=request.eos_id,
        inputs=request.tensors(), **request.sampling(),
    )  # fmt: skip
    if request.as_json:
        ids = list(generated)
        write_json({"prompt": prompt, "ids": ids, **({"text": tokens.decode(ids)} if tokens else {})})
        return
    try:
        for piece in tokens.pieces(generated) if tokens else _words(generated):
            click.echo(piece, nl=False)
    finally:
        click.echo()


def _words(ids: Iterator[int]) -> Iterator[str]:
    for number, token in enumerate(ids):
        yield f" {token}" if number else str(token)


def describe(request: Request, spec: Spec, module: nn.Module) -> None:
    """Writes the outputs of one pass, with the likeliest columns of scores."""
    inputs = archspec.prepare(spec, prompts=request.prompts, images=request.images, inputs=request.tensors())
    predictions = archspec.predict(module, inputs, top=request.top_k or _SHOWN)
    if request.as_json:
        write_json([prediction.record() for prediction in predictions])
        return
    for prediction in predictions:
        click.echo(f"{prediction.name} {list(prediction.shape)}")
        name = _names(request, prediction)
        for row, likeliest in enumerate(prediction.likeliest):
            shown = "  ".join(f"{name(column)} {share:.3g}" for column, share in likeliest)
            click.echo(f"  {row}: {shown}")


def _names(request: Request, prediction: Prediction) -> Callable[[int], str]:
    """What the columns of scores are called: tokens of a vocabulary, else by number."""
    is_words = len(prediction.shape) == 3 and request.tokens is not None
    return request.tokens.name if is_words and request.tokens else str


def sample(request: Request, spec: Spec) -> None:
    """Makes data of noise, and writes it to the file that was asked for, or its shape."""
    if len(request.prompts) > 1 or request.images or request.inputs:
        raise click.UsageError("sampling takes one prompt, and nothing else")
    _check_out(request.out)
    with working("making the model"):
        system = archspec.parts(spec, **request.model())
    with _steps_shown() as progress:
        made = archspec.sample(
            system, next(iter(request.prompts), ()), negative=request.negative, guidance=request.guidance,
            steps=request.steps, sizes=request.sizes, seed=request.seed, progress=progress,
        )  # fmt: skip
    named = {"sample": made.sample} | ({} if made.result is None else {"result": made.result})
    if request.out is not None:
        _write(system, named, request.out)
    if request.as_json:
        files = {} if request.out is None else {"out": str(request.out)}
        write_json({name: list(tensor.shape) for name, tensor in named.items()} | files)
    elif request.out is not None:
        click.echo(request.out)
    else:
        for name, tensor in named.items():
            click.echo(f"{name} {list(tensor.shape)}: mean {tensor.mean():.3g}, std {tensor.std():.3g}")


def _check_out(out: Path | None) -> None:
    if out is not None and out.suffix not in (".png", ".safetensors"):
        raise click.UsageError("--out is a .png image, or the numbers as .safetensors")


def _write(system: Parts, named: dict[str, Tensor], out: Path) -> None:
    if out.suffix == ".png":
        archspec.save_image(system, named.get("result", named["sample"])[0], out)
    else:
        archspec.save_tensors(named, out)


@contextmanager
def _steps_shown() -> Generator[Callable[[int, int], None]]:
    """A bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console  # lazy: only long work on a terminal needs it
    from rich.progress import Progress  # lazy: the same

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sampling", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
