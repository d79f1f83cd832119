"""The verbs. What takes a spec takes its library name, its path, or a `Spec` that was loaded.

Everything a caller can get wrong raises an `ArchspecError` with located, coded diagnostics. torch is imported
by the verbs that run a model, and by no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from archspec import resolve
from archspec import schema as schemas
from archspec.atomic import new_directory
from archspec.backends.torch.emit import emit
from archspec.check import Checked, map_of, native_map
from archspec.errors import ArchspecError, Diagnostic
from archspec.ir import text
from archspec.ir.graph import Graph
from archspec.ir.verify import verify
from archspec.lowering import lower as lowering
from archspec.lowering.weights_section import read_section
from archspec.show import outline, resolved
from archspec.show import why as origins
from archspec.spec.spec import Spec
from archspec.version import VERSION
from archspec.weights.folder import hub_config
from archspec.weights.mapping import WeightMap
from archspec.weights.rules import read_rules

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from archspec.generate import Prediction, Sampling

Named: TypeAlias = str | Path | Spec
Overrides: TypeAlias = Mapping[str, object]
Form: TypeAlias = Literal["outline", "resolved", "ir"]


def load(spec: Named, *, preset: str | None = None, overrides: Overrides | None = None) -> Spec:
    """The spec with its parents, under a preset and with params set by name.

    A text among `overrides` is read as YAML. Raises SpecError with all findings of the document.
    """
    if not isinstance(spec, Spec):
        return resolve.load(spec, preset=preset, overrides=overrides)
    added = resolve.settings(overrides)
    return replace(spec, preset=preset or spec.preset, overrides=(*spec.overrides, *added))


def lower(spec: Named) -> Graph:
    """The verified graph. Raises SpecError or LoweringError with all findings."""
    graph = lowering.lower(load(spec))
    verify(graph)
    return graph


def check(spec: Named) -> Checked:
    """Proves that the spec lowers, that its `expect` holds, and that its weight maps are bijections.

    Raises SpecError: E001 where a stated fact is wrong, W001 to W007 in `weights`; and what `lower` raises.
    """
    loaded = load(spec)
    return Checked.of(loaded, lower(loaded))


def source(spec: Named, *, attention: str = "sdpa") -> str:
    """Python source of the model, which imports only torch. The same to the byte each time.

    Raises UnsupportedError where something cannot be written.
    """
    loaded = load(spec)
    return _source(loaded, lower(loaded), attention)


def _source(spec: Spec, graph: Graph, attention: str) -> str:
    """`provenance` names the resolved spec by its hash, so that a file tells what it was built from."""
    digest = hashlib.sha256(resolved.resolved(spec).encode()).hexdigest()[:16]
    name = spec.path.name if spec.path else spec.name
    preset = f", preset {spec.preset}" if spec.preset else ""
    provenance = f"{name}{preset}, resolved sha256 {digest}; archspec {VERSION}"
    return emit(graph, attention=attention, provenance=provenance)


def build(
    spec: Named, out: Path, *, attention: str = "sdpa", weights: Path | None = None, init: int | None = None
) -> tuple[Path, ...]:
    """Writes model.py, spec.resolved.yaml and, with `weights` or `init`, model.safetensors; gives the paths.

    `weights` is a checkpoint to take tensors from, `init` a seed to start them. All files appear, or none.
    Raises WeightsError where the checkpoint does not fit, ArchspecError F001 where `out` cannot be written.
    """
    loaded = load(spec)
    graph = lower(loaded)
    files = {"model.py": _source(loaded, graph, attention), "spec.resolved.yaml": resolved.resolved(loaded)}
    state = _state(loaded, graph, files["model.py"], weights, init)
    with new_directory(out) as scratch:
        for name, content in files.items():
            (scratch / name).write_text(content, encoding="utf-8")
        if state is not None:
            _save_native(state, graph, scratch / "model.safetensors")
    names = (*files, *(["model.safetensors"] if state is not None else []))
    return tuple(out / name for name in names)


def compile(
    spec: Named, *, preset: str | None = None, overrides: Overrides | None = None, attention: str = "sdpa",
    weights: Path | str | None = None, seed: int | None = None, dtype: torch.dtype | str | None = None,
) -> nn.Module:  # fmt: skip
    """The model as an `nn.Module` in eval mode, made from exactly the text that `source` gives.

    It has that text as `source` and the graph as `graph`. It starts with `weights`, a checkpoint folder or
    file; else as the reference does, drawn from `seed`. Raises WeightsError where the checkpoint does not fit,
    ArchspecError X002 where torch is not installed.
    """
    loaded = load(spec, preset=preset, overrides=overrides)
    graph = lower(loaded)
    written = _source(loaded, graph, attention)
    with _installed("torch"):
        from archspec import model  # lazy: only this verb and its like run torch
    wanted = None if dtype is None else model.dtype_of(dtype)
    state = _read(loaded, graph, Path(weights)) if weights is not None else None
    module = model.make(written, graph, state=state, seed=seed)
    return module if wanted is None else module.to(wanted)


def attention_weights(module: nn.Module, **inputs: Tensor) -> dict[str, Tensor]:
    """The attention weights [B, H, Q, K] of one forward pass, by the path of the module that computes them.

    Raises UnsupportedError X008 unless the module was compiled with `attention="eager"`.
    """
    from archspec import model  # lazy: as in `compile`

    return model.attention_weights(module, inputs)


def generate(
    module: nn.Module, prompt: Sequence[int], *, limit: int = 32, start: int = 0, eos: int | None = None,
    sampling: Sampling | None = None,
) -> Iterator[int]:  # fmt: skip
    """Token ids after `prompt`, one at a time, from a compiled decoder or encoder-decoder with its cache.

    At most `limit`, and none behind `eos`. A decoder behind an encoder begins with `start`.
    Greedy without `sampling`. Raises ArchspecError X004, X006 and X007 while it runs.
    """
    from archspec import generate as decoding  # lazy: as in `compile`

    graph = cast("Graph", module.graph)
    how = sampling or decoding.Sampling()
    return decoding.decode(module, graph, prompt, limit=limit, start=start, sampling=how, eos=eos)


def predict(module: nn.Module, prompt: Sequence[int]) -> tuple[Prediction, ...]:
    """One pass of a compiled model over token ids: the shape of each output, and the likeliest ids.

    Raises ArchspecError X004 where token ids are not all it takes, X006 for an id past its table.
    """
    from archspec import generate as decoding  # lazy: as in `compile`

    return decoding.predict(module, cast("Graph", module.graph), prompt)


def export_hf(
    model: nn.Module | Path, spec: Named, out: Path, *, preset: str | None = None, overrides: Overrides | None = None,
) -> None:  # fmt: skip
    """Writes a folder that `transformers.AutoModel.from_pretrained` loads: config.json and safetensors.

    `model` is a compiled module, or a checkpoint folder or file. Raises SpecError W050 where the spec says
    nothing of the hub, WeightsError where tensors do not fit; nothing is left behind.
    """
    loaded = load(spec, preset=preset, overrides=overrides)
    graph = lower(loaded)
    section = read_section(loaded, "hf")
    rules, weights = read_rules(section.plain, section.spans), map_of(loaded, graph, "hf")
    with _installed("torch"):
        from archspec.weights.save_torch import save_folder  # lazy: as in `compile`
    state = _read(loaded, graph, model) if isinstance(model, Path) else model.state_dict()
    save_folder(state, weights, out, hub_config(rules))


def show(spec: Named, form: Form = "outline") -> str:
    """The spec written out: `outline` (modules, sizes), `resolved` (YAML) or `ir` (reads back to the graph)."""
    loaded = load(spec)
    if form == "resolved":
        return resolved.resolved(loaded)
    if form == "ir":
        return text.show(lower(loaded))
    return outline.outline(lower(loaded))


def why(spec: Named, path: str) -> origins.Origin:
    """Where a module, parameter or value comes from. `path` is like `h.0.attn.qkv.weight` or `h.*.attn`.

    Raises ArchspecError X003 where nothing has that path.
    """
    loaded = load(spec)
    graph = lower(loaded)
    return origins.why(graph, path, _hub_map(loaded, graph))


def schema() -> dict[str, object]:
    """The JSON Schema of a spec document, for editors."""
    return schemas.schema()


def weight_map(spec: Named, graph: Graph | None = None, section: str = "hf") -> WeightMap:
    """The invertible map between our tensors and those of a checkpoint, from names and shapes alone.

    Raises SpecError W050 where the spec has no such section, WeightsError W001 to W007 with all findings.
    """
    loaded = load(spec)
    return map_of(loaded, graph or lower(loaded), section)


def start_token(spec: Named) -> int:
    """The id that a decoder behind an encoder begins with: what the hub's config says, else 0."""
    loaded = load(spec)
    if loaded.section("weights").get("hf") is None:
        return 0
    found = read_rules(read_section(loaded, "hf").plain).config.get("decoder_start_token_id")
    return found if isinstance(found, int) else 0


def _hub_map(spec: Spec, graph: Graph) -> WeightMap | None:
    return map_of(spec, graph, "hf") if spec.section("weights").get("hf") is not None else None


def _state(
    spec: Spec, graph: Graph, written: str, weights: Path | None, seed: int | None
) -> Mapping[str, Tensor] | None:
    """The tensors that a build writes."""
    if weights is not None:
        return _read(spec, graph, weights)
    if seed is None:
        return None
    with _installed("torch"):
        from archspec import model  # lazy: as in `compile`
    return model.make(written, graph, seed=seed).state_dict()


def _read(spec: Spec, graph: Graph, weights: Path) -> Mapping[str, Tensor]:
    with _installed("torch"):
        from archspec import model  # lazy: as in `compile`
    return model.read_state(weights, native_map(graph), _hub_map(spec, graph))


def _save_native(state: Mapping[str, Tensor], graph: Graph, path: Path) -> None:
    from archspec.weights.save_torch import save_native  # lazy: as in `compile`

    save_native(state, path, tuple(alias for alias, _ in graph.ties))


@contextmanager
def _installed(extra: str) -> Generator[None]:
    """An import that fails for want of an extra says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"the package '{error.name}' is not installed"
        hint = f"pip install 'archspec-compiler[{extra}]'"
        raise ArchspecError(Diagnostic("X002", message, None, hint)) from error
