"""A running model: the module that emitted source defines, seeded or with the weights of a checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archspec.atomic import new_directory
from archspec.backends.torch.passes.kernels import kernel_files
from archspec.backends.torch.runtime.load import module_from_source
from archspec.errors import Diagnostic, InternalError, UnsupportedError, WeightsError, did_you_mean
from archspec.ir.graph import Graph
from archspec.spec.spec import Spec
from archspec.weights.folder import hub_config
from archspec.weights.held import held_in
from archspec.weights.load_torch import load_state
from archspec.weights.of_spec import Share, rules_of, shares_of
from archspec.weights.save_torch import refuse_leftovers, save_folder

State = Mapping[str, Tensor]
KERNELS = " import attention as "  # how emitted source imports a file of kernels


def device() -> str:
    """Where models run here: cuda where there is a GPU, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def make(source: str, graph: Graph, *, state: State | None = None, seed: int | None = None) -> nn.Module:
    """The model in eval mode, with `source` and `graph` as attributes.

    Without `state` it starts as the reference does, drawn from `seed` or from torch's own generator.
    """
    kernels = kernel_files(graph.root) if KERNELS in source else None
    emitted = module_from_source(source, graph.name, kernels)
    kind: Callable[[], nn.Module] = getattr(emitted, emitted.__all__[0])
    with _Undrawn() if state is not None else seeded(seed):
        module = kind()
    if state is not None:
        fill(module, graph, state)
    module.source, module.graph = source, graph  # type: ignore[assignment]  # a module takes any attribute
    return module.eval()


def fill(module: nn.Module, graph: Graph, state: State) -> None:
    """Makes tensors under our names those of a model, uncopied if of its dtype; tied names may be absent."""
    given = {**{alias: state[owner] for alias, owner in graph.ties if owner in state}, **state}
    own: dict[str, Tensor] = module.state_dict(keep_vars=True)
    wrong = sorted(
        n for n in {*own, *given} if n not in own or n not in given or own[n].shape != given[n].shape
    )
    if wrong:
        message = f"the emitted model and its graph have different tensors: {', '.join(wrong)}"
        raise InternalError(Diagnostic("I201", message, None, "please report the spec"))
    for name, tensor in own.items():
        tensor.data = given[name].to(tensor.dtype)


def read(spec: Spec, graph: Graph, path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint under our names: of a file of our own, or one that the spec describes.

    Raises WeightsError: W020 to W023 where it cannot be read, W040 to W044 where it does not fit.
    """
    state: dict[str, Tensor] = {}
    for held in held_in(spec, graph, path):
        found = load_state(held.checkpoint.path, held.weights)
        state |= {ours: found[theirs] for ours, theirs in held.names.items()}
    return state


def started(source: str, graph: Graph, seed: int | None) -> dict[str, Tensor]:
    """The tensors that a model starts with."""
    return make(source, graph, seed=seed).state_dict()


def untied(state: State, graph: Graph) -> State:
    """The tensors without the names that are tied to others."""
    ties = dict(graph.ties)
    return {name: tensor for name, tensor in state.items() if name not in ties}


def export(model: nn.Module | Path, spec: Spec, graph: Graph, out: Path) -> None:
    """Writes a folder in the hub's format, or one with a folder for each of several checkpoints.

    Raises SpecError W050 where the spec knows of none, WeightsError, W052 where the graph is a part of one.
    """
    if not spec.section("weights").entries:
        rules_of(spec, "hf")
    shares = shares_of(spec, graph)
    for share in shares:
        if not share.is_whole:
            message = f"the graph '{spec.graph}' is only a part of the checkpoint '{share.section}'"
            raise WeightsError(Diagnostic("W052", message, None, "export the whole model"))
    state = read(spec, graph, model) if isinstance(model, Path) else model.state_dict()
    if len(shares) == 1:
        _save(shares[0], state, out)
        return
    with new_directory(out) as scratch:
        for share in shares:
            name = share.rules.folder or share.section
            _save(share, state, scratch / name)
            refuse_leftovers(out / name, scratch / name, share.rules.library)


def _save(share: Share, state: State, folder: Path) -> None:
    mine = {theirs: state[ours] for ours, theirs in share.names.items()}
    save_folder(mine, share.weights, folder, hub_config(share.rules), library=share.rules.library)


def seeded(seed: int | None) -> AbstractContextManager[None]:
    """Draws inside depend on `seed` alone, and leave torch's own generator as it was."""
    return nullcontext() if seed is None else _Seeded(seed)


class _Seeded(AbstractContextManager[None]):
    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __enter__(self) -> None:
        self.before = torch.get_rng_state()
        torch.manual_seed(self.seed)

    def __exit__(self, *_: object) -> None:
        torch.set_rng_state(self.before)


class _Undrawn(TorchFunctionMode):
    """Leaves out random starts, which weights will overwrite."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given: dict[str, Any] = kwargs or {}
        if func is Tensor.normal_:  # what torch truncates, it draws again until all lies in bounds
            return args[0].zero_()
        if func in _DRAWS:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


_DRAWS: frozenset[Any] = frozenset(
    {Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_}
)


def attention_weights(module: nn.Module, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What flows through the places that eager source keeps open for it, by the path of the module around.

    A module that runs more than once has `path` for its first run, `path@2` for its second, and so on.
    Raises UnsupportedError X008 where there are none.
    """
    modules = cast("Iterator[tuple[str, nn.Module]]", module.named_modules())
    places = {name: inner for name, inner in modules if _is_open_place(name, inner)}
    if not places:
        hint = 'compile it with attention="eager"'
        raise UnsupportedError(
            Diagnostic("X008", "this model does not give its attention weights", None, hint)
        )
    seen: dict[str, Tensor] = {}
    runs = Counter[str]()

    def keep(path: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_: nn.Module, __: Any, weights: Tensor) -> None:
            runs[path] += 1
            seen[path if runs[path] == 1 else f"{path}@{runs[path]}"] = weights

        return hook

    hooks = [inner.register_forward_hook(keep(name.rpartition(".")[0])) for name, inner in places.items()]
    try:
        with torch.no_grad():
            module(**inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _is_open_place(name: str, module: nn.Module) -> bool:
    return isinstance(module, nn.Identity) and name.rpartition(".")[2].startswith("weights")


def dtype_of(dtype: torch.dtype | str) -> torch.dtype:
    """A floating-point dtype by its torch name. Raises UnsupportedError X005."""
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if isinstance(found, torch.dtype) and found.is_floating_point:
        return found
    known = ("float32", "float16", "bfloat16", "float64")
    hint = did_you_mean(str(dtype), known) or f"one of: {', '.join(known)}"
    raise UnsupportedError(Diagnostic("X005", f"a model cannot be built in '{dtype}'", None, hint))
