"""Generated kernels in Triton's interpreter: shapes alone say what their operations allocate and compute.

Equal to the byte and the FLOP: the peak of a step of training, what is saved for its backward pass, the FLOPs
of both, by saved-tensor hooks, a tracker of live bytes that looks inside of these operations, and
FlopCounterMode, which the generated files tell what they compute. The interpreter takes seconds for each run,
so models have few layers, and rows are one.
"""

import gc
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from archspec import api
from archspec.backends.torch.fake.trace import Subject
from archspec.backends.torch.passes.kernels import kernel_files
from archspec.measuring.measure import LiveBytes, key_of, tensors
from tests.backends.torch.fake.subjects import GLOBAL, MODES, Mode, Pair, drawn, dropouts
from tests.backends.torch.kernels import interpreter as interpreter  # repairs what runs the kernels
from tests.parity.catalog import ALL

# What each shows: a mask of padding, causal pairs, windows and a cap in bfloat16, a table of distances that
# learns, what data picks, sinks that learn.
RUNS = [
    ("bert", "plain"), ("bert", "autocast"), ("bert", "dropout"), ("gpt2", "loss"), ("gemma2", "bf16"),
    ("t5", "plain"), ("longformer", "plain"), ("gpt_oss", "plain"),
]  # fmt: skip

# Fewer layers, and where experts share tokens, as many tokens for each.
CHANGES: dict[str, dict[str, Any]] = {
    "gemma2": {"num_layers": 2},
    "gpt2": {"num_layers": 2},
    "gpt_oss": {"top_k": 4},
    "longformer": {"num_layers": 1, "windows": [6]},
    "t5": {"num_encoder_layers": 1, "num_decoder_layers": 1},
}


class Step(NamedTuple):
    """Bytes and FLOPs of a step of training."""

    peak: int
    saved: int
    forward: int
    flops: int


class Collected(LiveBytes):
    """The interpreter's launches end in cycles, which hold on to tensors."""

    def inside(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        results = super().inside(func, args, kwargs)
        gc.collect()
        return results


@pytest.fixture(autouse=True)
def only_what_is_new_is_collected() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def built(name: str, mode: str) -> Pair:
    """One row of the first case."""
    model = next(each for each in ALL if each.name == name)
    overrides = {**model.params, **CHANGES.get(name, {}), **(dropouts(model) if mode == "dropout" else {})}
    spec = api.load(model.spec, preset=model.preset, overrides=overrides, graph=model.graph)
    module = api.compile(spec, attention="triton").train(mode == "dropout")
    subject = Subject(str(module.source), name, kernel_files(api.lower(spec).root))
    inputs = {word: x[:1] for word, x in drawn(model, mode).items()}
    wanted = msgspec.structs.replace(MODES[mode], picked=GLOBAL if "global_attention_mask" in inputs else 1)
    if mode == "bf16":
        return Pair(module.bfloat16(), subject, inputs, None, wanted)
    if mode == "autocast":
        return Pair(module, subject, inputs, torch.autocast("cpu", dtype=torch.bfloat16)(module), wanted)
    run = getattr(module, "loss") if mode == "loss" else None  # noqa: B009  # a Module promises no such method
    return Pair(module, subject, inputs, run, wanted)


def measured(both: Pair) -> Step:
    """A step with gradients that are there already."""
    kept = dict[int, int]()
    for x in both.module.parameters():
        x.grad = torch.zeros_like(x)
    known = {key_of(x) for x in (*both.module.parameters(), *both.module.buffers(), *both.inputs.values())}
    known |= {key_of(x.grad) for x in both.module.parameters() if x.grad is not None}

    def pack(x: Tensor) -> Tensor:
        if key_of(x) not in known:
            kept[key_of(x)] = x.untyped_storage().nbytes()
        return x.detach()

    with Collected(set(known)) as live, FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            found = [x for x in tensors((both.run or both.module)(**both.inputs)) if x.requires_grad]
        forward = counter.get_total_flops()
        torch.autograd.backward(found, [torch.ones_like(x) for x in found])
    return Step(live.peak, sum(kept.values()), forward, counter.get_total_flops())


def predicted(both: Pair) -> Step:
    found = both.subject.train(both.shapes, both.mode)
    saved = found.forward.activations + found.forward.weight_copies
    return Step(found.peak, saved, found.forward.flops, found.flops)


@pytest.mark.parametrize(("name", "mode"), RUNS)
def test_shapes_alone_say_what_a_step_does(name: str, mode: str):
    both = built(name, mode)
    assert predicted(both) == measured(both)


def test_what_the_way_back_computes_is_known_on_the_way_forth():
    both = built("t5", "plain")
    found = both.subject.train(both.shapes, both.mode)
    assert found.flops == found.forward.flops + found.forward.backward_flops


def test_scores_are_not_kept():
    long, longer = (_kept(s) for s in (1024, 2048))
    assert 1.9 < longer / long < 2.1


def _kept(tokens: int) -> int:
    spec = api.load("bert", overrides={"max_positions": 4096, "num_layers": 2})
    subject = Subject(api.source(spec, attention="triton"), "bert", kernel_files(api.lower(spec).root))
    ids = {"input_ids": ((1, tokens), "int64")}
    return subject.trace(ids, Mode(gradients=True, device="cuda")).activations
