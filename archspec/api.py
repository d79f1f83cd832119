"""The verbs. What takes a spec takes its library name, its path, or a `Spec` that was loaded.

Everything a caller can get wrong raises an `ArchspecError` with located, coded diagnostics. torch is imported
by the verbs that run a model, and by no other. Imports inside verbs keep `check` and `show` quick to start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec.structs import replace

from archspec import library, resolve
from archspec.extras import installed
from archspec.ir.graph import Graph
from archspec.ir.verify import verify
from archspec.lowering import lower as lowering
from archspec.spec.spec import Spec
from archspec.version import VERSION

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from archspec.facts import Checked
    from archspec.importing.document import Imported
    from archspec.views.catalog import Entry
    from archspec.views.difference import Difference
    from archspec.views.outline import Outline
    from archspec.views.why import Origin
    from archspec.views.words import Word
    from archspec.weights.mapping import WeightMap

Named: TypeAlias = str | Path | Spec
Overrides: TypeAlias = Mapping[str, object]
Form: TypeAlias = Literal["outline", "resolved", "ir"]


def load(
    spec: Named, *, preset: str | None = None, overrides: Overrides | None = None, graph: str | None = None
) -> Spec:
    """The spec with its parents, under a preset and with params set by name.

    `graph` takes one part, of those that it lists in `graphs`. A text among `overrides` is read as YAML.
    Raises SpecError with all findings of the document.
    """
    if not isinstance(spec, Spec):
        return resolve.load(spec, preset=preset, overrides=overrides, graph=graph)
    added = (*spec.overrides, *resolve.settings(overrides))
    return replace(spec, preset=preset or spec.preset, overrides=added, graph=graph or spec.graph)


def lower(spec: Named) -> Graph:
    """The verified graph. Raises SpecError or LoweringError with all findings."""
    graph = lowering.lower(load(spec))
    verify(graph)
    return graph


def check(spec: Named) -> Checked:
    """Proves that the spec lowers, that its `expect` holds, and that its weight maps are bijections.

    Raises SpecError: E001 where a stated fact is wrong, W001 to W007 in `weights`; and what `lower` raises.
    """
    from archspec.facts import Checked  # lazy: see above

    loaded = load(spec)
    return Checked.of(loaded, lower(loaded))


def show(spec: Named, form: Form = "outline") -> str:
    """The spec written out: `outline` (modules, sizes), `resolved` (YAML) or `ir` (reads back to its graph).

    Raises what `lower` raises.
    """
    if form == "outline":
        return str(outline(spec))
    if form == "ir":
        from archspec.ir import text  # lazy: see above

        return text.show(lower(spec))
    from archspec.views import resolved  # lazy: see above

    return resolved.resolved(load(spec))


def outline(spec: Named) -> Outline:
    """The model at a glance: inputs, outputs, modules with their sizes and shapes."""
    from archspec.views.outline import Outline  # lazy: see above

    loaded = load(spec)
    return Outline.of(lower(loaded), lowering.running_of(loaded) if loaded.section("run").entries else None)


def why(spec: Named, path: str) -> Origin:
    """Where a module, parameter or value comes from. `path` is like `h.0.attn.qkv.weight` or `h.*.attn`.

    Raises ArchspecError X003 where nothing has that path.
    """
    from archspec.views import why as views  # lazy: see above

    loaded = load(spec)
    graph = lower(loaded)
    has_hub = loaded.section("weights").get("hf") is not None
    return views.why(graph, path, weight_map(loaded, graph) if has_hub else None)


def source(spec: Named, *, attention: str = "sdpa", device: str = "cpu") -> str:
    """Python source of the model, which imports only torch. The same to the byte each time.

    `attention`: eager, sdpa, flex, triton, which imports files of `kernels` too, or auto: what suits each
    attention on the `device`, cpu or cuda. Raises UnsupportedError where something cannot be written.
    """
    loaded = load(spec)
    return _source(loaded, lower(loaded), attention, device)


def _source(loaded: Spec, graph: Graph, attention: str, device: str) -> str:
    from archspec.backends.torch.emit import emit  # lazy: see above
    from archspec.views.resolved import digest  # lazy: see above

    name = loaded.path.name if loaded.path else loaded.name
    preset = f", preset {loaded.preset}" if loaded.preset else ""
    part = f", graph {loaded.graph}" if loaded.graph else ""
    provenance = f"{name}{preset}{part}, resolved sha256 {digest(loaded)}; archspec {VERSION}"
    return emit(graph, attention=attention, device=device, provenance=provenance)


def kernels(spec: Named) -> dict[str, str]:
    """The files of Triton kernels that attention="triton" runs, one for each structure: name, text.

    The same structure gives the same file, whatever the sizes. Raises UnsupportedError as `source` does.
    """
    from archspec.backends.torch.passes.kernels import kernel_files  # lazy: see above

    return {f"{name}.py": text for name, text in kernel_files(lower(load(spec)).root).items()}


def build(
    spec: Named, out: Path, *, attention: str = "sdpa", device: str = "cpu", weights: Path | None = None,
    init: int | None = None,
) -> tuple[Path, ...]:  # fmt: skip
    """Writes model.py, spec.resolved.yaml and, with `weights` or `init`, model.safetensors; gives the paths.

    The files of `kernels` that the model imports stand beside them; `attention` and `device` as in `source`.

    `weights` is a checkpoint to take tensors from, `init` a seed to start them. All files appear, or none.
    Raises WeightsError where the checkpoint does not fit, ArchspecError F001 where `out` cannot be written.
    """
    from archspec.atomic import new_directory  # lazy: see above

    loaded = load(spec)
    text = source(loaded, attention=attention, device=device)
    imported = {name: of for name, of in kernels(loaded).items() if f"from {name[:-3]} import" in text}
    texts = {"model.py": text, "spec.resolved.yaml": show(loaded, "resolved"), **imported}
    tensors = _tensors(loaded, texts["model.py"], weights, init)
    with new_directory(out) as scratch:
        for name, text in texts.items():
            (scratch / name).write_text(text, encoding="utf-8")
        if tensors is not None:
            from archspec.weights.save_torch import save_native  # lazy: needs torch

            save_native(tensors, scratch / "model.safetensors")
    return tuple(out / name for name in (*texts, *(() if tensors is None else ("model.safetensors",))))


def _tensors(spec: Spec, text: str, weights: Path | None, init: int | None) -> Mapping[str, Tensor] | None:
    """What a build writes as weights: our tensors, tied names left out."""
    if weights is None and init is None:
        return None
    with installed("torch"):
        from archspec import model  # lazy: only a running model, and its weights, need torch
    graph = lower(spec)
    return model.untied(
        model.read(spec, graph, weights) if weights else model.started(text, graph, init), graph
    )


def compile(
    spec: Named, *, preset: str | None = None, overrides: Overrides | None = None, graph: str | None = None,
    attention: str = "sdpa", weights: Path | str | None = None, seed: int | None = None,
    dtype: torch.dtype | str | None = None,
) -> nn.Module:  # fmt: skip
    """The model as an `nn.Module` in eval mode, made from exactly the text that `source` gives here.

    It has that text as `source` and the graph as `graph`. It starts with `weights`, a checkpoint folder or
    file; else as the reference does, drawn from `seed`. Raises WeightsError where the checkpoint does not
    fit, ArchspecError X002 where torch is not installed.
    """
    loaded = load(spec, preset=preset, overrides=overrides, graph=graph)
    lowered = lower(loaded)
    with installed("torch"):
        from archspec import model  # lazy: as in `_tensors`
    text = _source(loaded, lowered, attention, model.device())
    wanted = None if dtype is None else model.dtype_of(dtype)
    state = None if weights is None else model.read(loaded, lowered, Path(weights))
    module = model.make(text, lowered, state=state, seed=seed)
    return module if wanted is None else module.to(wanted)


def attention_weights(module: nn.Module, **inputs: Tensor) -> dict[str, Tensor]:
    """The attention weights [B, H, Q, K] of one forward pass, by the path of the module that computes them.

    A module that runs more than once has `path` for its first run, `path@2` for its second, and so on.
    Raises UnsupportedError X008 unless the module was compiled with `attention="eager"`.
    """
    from archspec import model  # lazy: as in `_tensors`

    return model.attention_weights(module, inputs)


def start_token(spec: Named) -> int:
    """The id that a decoder behind an encoder begins with: what the hub's config says, else 0."""
    from archspec.weights import of_spec  # lazy: see above

    return of_spec.start_token(load(spec))


def weight_map(spec: Named, graph: Graph | None = None, section: str = "hf") -> WeightMap:
    """The invertible map between our tensors and those of a checkpoint, from names and shapes alone.

    Raises SpecError W050 where the spec has no such section, WeightsError W001 to W007 with all findings.
    """
    from archspec.weights.of_spec import map_of  # lazy: see above

    loaded = load(spec)
    return map_of(loaded, graph or lower(loaded), section)


def export_hf(
    model: nn.Module | Path, spec: Named, out: Path, *, preset: str | None = None,
    overrides: Overrides | None = None, graph: str | None = None,
) -> None:  # fmt: skip
    """Writes a folder that `transformers.AutoModel.from_pretrained` loads: config.json and safetensors.

    `model` is a compiled module, or a checkpoint folder or file. Raises SpecError W050 where the spec says
    nothing of the hub, WeightsError where tensors do not fit; nothing is left behind.
    """
    with installed("torch"):
        from archspec import model as running  # lazy: as in `_tensors`
    loaded = load(spec, preset=preset, overrides=overrides, graph=graph)
    running.export(model, loaded, lower(loaded), out)


def import_config(config: Path, *, base: Named | None = None, name: str | None = None) -> Imported:
    """A spec for a published configuration, config.json or its folder: a library spec with other params.

    `base` is the spec to start from, where the library's are not meant; `name` stands for the folder's name.
    Raises SpecError: C001 the file cannot be read; C002 to C006 where not every field is understood.
    """
    from archspec.importing import choose, document  # lazy: see above

    read = document.configuration(config)
    specs = {_extends(one): load(one) for one in (library.names() if base is None else (base,))}
    choice = choose.choose(read, specs)
    return document.document(choice, specs[choice.base], config, name)


def new(name: str, *, base: Named | None = None, template: str = "decoder") -> str:
    """The text of a new spec: a commented template, or an extension of `base` that changes nothing yet.

    Raises SpecError: S004 `name` cannot be the name of a model, S901 there is no such template.
    """
    from archspec.views import begin  # lazy: see above

    if base is not None:
        return begin.from_spec(_extends(base), load(base), name)
    return begin.from_template(library.find_template(template), name)


def _extends(base: Named) -> str:
    """What a spec is extended by: its name in the library, or its path from here."""
    if isinstance(base, Spec):
        return str(resolve.nearby(base.path)) if base.path else base.name
    return base if isinstance(base, str) and not resolve.is_path(base) else str(resolve.nearby(Path(base)))


def diff(before: Named, after: Named) -> Difference:
    """What two specs mean differently: params, modules, sizes, inputs and outputs. False where nothing is.

    Raises what `lower` raises.
    """
    from archspec.views.compare import compare  # lazy: see above

    specs = load(before), load(after)
    return compare(specs, (lower(specs[0]), lower(specs[1])))


def schema() -> dict[str, object]:
    """The JSON Schema of a spec document, for editors."""
    from archspec import json_schema  # lazy: see above

    return json_schema.schema()


def catalog() -> tuple[Entry, ...]:
    """The specs of the library with their presets, each with its parameter count."""
    from archspec.views.catalog import Entry  # lazy: see above

    return tuple(Entry.of(load(name)) for name in library.names())


def vocabulary() -> tuple[Word, ...]:
    """The components of the language with their arguments."""
    from archspec.views.words import words  # lazy: see above

    return words()


def fmt(path: Path, *, write: bool = True) -> bool:
    """Whether a document is in another layout than the canonical one; `write` gives it that.

    Raises SpecError where it does not load, ArchspecError F001 where it cannot be written.
    """
    from archspec.atomic import write_text  # lazy: see above
    from archspec.spec.fmt import format_text  # lazy: see above
    from archspec.spec.yaml import load_file  # lazy: see above

    before = load_file(path).span.source
    after = format_text(before)
    if write and after != before.text:
        write_text(path, after)
    return after != before.text
