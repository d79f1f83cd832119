"""The verbs that run a model on prompts and images, and make data of noise.

They stand beside `archspec.api`, and import torch when they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from archspec import api
from archspec.api import Named, Overrides
from archspec.extras import installed
from archspec.ir.verify import verify
from archspec.lowering.lower import lower_to_run, running_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from archspec.ir.graph import Graph
    from archspec.lowering.running import Running
    from archspec.pipelines.parts import Parts
    from archspec.pipelines.predictions import Prediction
    from archspec.pipelines.sample import Sampled
    from archspec.spec.spec import Spec


def generate(
    module: nn.Module, prompt: Sequence[int], *, limit: int = 32, start: int = 0, eos: int | None = None,
    temperature: float = 0.0, top_k: int | None = None, top_p: float | None = None, seed: int | None = None,
    inputs: Mapping[str, Tensor] | None = None,
) -> Iterator[int]:  # fmt: skip
    """Token ids after `prompt`, one at a time, from a compiled decoder or encoder-decoder with its cache.

    At most `limit`, and none behind `eos`. A decoder behind an encoder begins with `start`. What an encoder
    reads that is no prompt stands in `inputs`, by name; then the decoder begins with `prompt`.
    `temperature` 0 takes the likeliest; otherwise a token is drawn, from the `top_k` likeliest and the fewest
    whose probabilities add up to `top_p`. Raises ArchspecError X004, X006 and X007 while it runs.
    """
    from archspec import decode  # lazy: only running needs torch

    return decode.decode(
        module, cast("Graph", module.graph), prompt, limit=limit, start=start, eos=eos, given=inputs,
        sampling=decode.Sampling(temperature, top_k, top_p, seed),
    )  # fmt: skip


def predict(
    module: nn.Module, given: Sequence[int] | Mapping[str, Tensor], *, top: int = 5
) -> tuple[Prediction, ...]:
    """One pass of a compiled model: the shape of each output, and of scores the `top` likeliest.

    `given` is one list of token ids, or inputs by name as `prepare` makes them. Raises ArchspecError X004
    where token ids are not all it takes, X006 for an id past its table.
    """
    from archspec.pipelines import predictions  # lazy: only running needs torch

    graph = cast("Graph", module.graph)
    inputs = given if isinstance(given, Mapping) else predictions.ids_for(graph, given, module)
    return predictions.predict(module, graph, inputs, top)


def streams(module: nn.Module) -> bool:
    """Whether a compiled model decodes: some input of it grows token by token."""
    return cast("Graph", module.graph).stream is not None


def prepare(
    spec: Named, *, prompts: Sequence[Sequence[int]] = (), images: Sequence[Path | str] = (),
    inputs: Mapping[str, Tensor] | None = None, preset: str | None = None,
    overrides: Overrides | None = None, graph: str | None = None,
) -> dict[str, Tensor]:  # fmt: skip
    """The inputs of a model by name: token ids int64 [prompts, S], pixels float32 [images, C, H, W].

    Images are scaled and normalised, and prompts filled up, as the spec's `run` says. `inputs` are others, by
    name, which stay as they are. Raises ArchspecError X004 where these are not what the model takes, X011 and
    X012 for an image, X013 for lengths of prompts, X002 where torch or Pillow is not installed.
    """
    with installed("torch"):
        from archspec.pipelines import inputs as making  # lazy: only running needs torch

    loaded = api.load(spec, preset=preset, overrides=overrides, graph=graph)
    files = [Path(image) for image in images]
    return making.prepare(*_lowered(loaded), prompts, files, inputs or {})


def samples(spec: Named) -> bool:
    """Whether a spec says how its model makes data of noise, and no part of it is meant alone.

    Raises what `lower` raises.
    """
    loaded = api.load(spec)
    return (
        loaded.graph is None
        and bool(loaded.section("run").get("sample"))
        and bool(running_of(loaded).sampler)
    )


def parts(
    spec: Named, *, preset: str | None = None, overrides: Overrides | None = None, attention: str = "sdpa",
    weights: Path | str | None = None, seed: int | None = None, dtype: torch.dtype | str | None = None,
) -> Parts:  # fmt: skip
    """All of a model, each output of which is computed by a module of its own when `sample` asks for it.

    Weights are those that `compile` would give the whole model. Raises what `compile` raises.
    """
    with installed("torch"):
        from archspec import model  # lazy: only running needs torch
        from archspec.backends.torch.emit import emit  # lazy: the same
        from archspec.pipelines.parts import Parts  # lazy: the same

    loaded = replace(api.load(spec, preset=preset, overrides=overrides), graph=None)
    graph, running = _lowered(loaded)
    wanted = None if dtype is None else model.dtype_of(dtype)
    if weights is None:
        state = model.started(emit(graph, attention=attention), graph, seed)
    else:
        found = model.read(loaded, graph, Path(weights))
        state = {**{alias: found[owner] for alias, owner in graph.ties}, **found}
    return Parts(graph, running, state, attention, wanted)


def _lowered(spec: Spec) -> tuple[Graph, Running]:
    graph, running = lower_to_run(spec)
    verify(graph)
    return graph, running


def sample(
    system: Parts, prompt: Sequence[int] = (), *, negative: Sequence[int] | None = None,
    guidance: float | None = None, steps: int = 50, noise: Tensor | None = None,
    sizes: Mapping[str, int] | None = None, seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sampled:  # fmt: skip
    """Data out of noise, by the deterministic sampler of Song et al. 2021 (DDIM), as the spec's `run` says.

    `prompt` is token ids, or the one id of a class. Guidance of 1 is none; more leads away from `negative`,
    and without it from what the spec calls empty; it is 7.5 where there is something to lead away from.
    `noise` [B, …] is where it starts, else drawn from `seed` for one sample, with the run-time sizes `sizes`.
    Gives what was sampled, in the noise's shape, and the spec's `result` of it. `progress` hears done, of.
    Raises ArchspecError X010 where the spec or the numbers do not allow it, X006 and X013 for the prompt.
    """
    from archspec.pipelines import sample as sampling  # lazy: only running needs torch

    start = sampling.noise_for(system, sizes, seed) if noise is None else noise
    guide = sampling.Guide(prompt, negative, guidance)
    return sampling.sample(system, guide, start, steps=steps, progress=progress or (lambda done, of: None))


def save_image(system: Parts, pixels: Tensor, path: Path | str) -> None:
    """Writes an output [C, H, W] as PNG, whole or not at all; the spec's `run` says what its numbers mean.

    Raises ArchspecError X002 (no Pillow), X012 (not 1 or 3 channels), F001, F002 (cannot be written).
    """
    from archspec.pipelines.images import write_image  # lazy: only running needs torch

    write_image(pixels, Path(path), system.running.images)


def load_tensors(path: Path | str) -> dict[str, Tensor]:
    """Tensors by name, of a safetensors file. Raises WeightsError W020 to W022 where it cannot be read."""
    with installed("torch"):
        from archspec.weights.load_torch import load_native  # lazy: only running needs torch

    return load_native(Path(path))


def save_tensors(tensors: Mapping[str, Tensor], path: Path | str) -> None:
    """Writes tensors by name as safetensors, whole or not at all. Raises ArchspecError F001, F002."""
    from archspec.weights.save_torch import save_native  # lazy: only running needs torch

    save_native(tensors, Path(path))
