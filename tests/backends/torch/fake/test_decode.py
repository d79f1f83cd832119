"""A step of decoding after a prefill: shapes alone say what torch allocates and computes."""

from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from archspec import api
from archspec.backends.torch.fake.trace import Decoding, Inputs, Mode, Subject
from archspec.measuring.measure import LiveBytes, key_of
from tests.backends.torch.fake.subjects import GLOBAL
from tests.backends.torch.fake.test_library import EVEN
from tests.parity.catalog import ALL, Decode, Model
from tests.parity.draw import draw

# Which experts a token gets only data says: see test_library.
DECODERS = [model for model in ALL if model.decode and model.spec != "switch"]


def step(given: dict[str, Tensor], decode: Decode, start: int, end: int) -> dict[str, Tensor]:
    own = {name: given[name][..., start:end] for name in decode.steps if name in given}
    return given | own | {name: given[name][..., :end] for name in decode.grows if name in given}


def shapes(inputs: dict[str, Tensor]) -> Inputs:
    return {name: (tuple(x.shape), str(x.dtype).removeprefix("torch.")) for name, x in inputs.items()}


def measured(
    module: Any, first: dict[str, Tensor], then: dict[str, Tensor], room: int
) -> tuple[int, int, int]:
    """Peak beyond the cache, bytes of the cache, FLOPs of the step."""
    known = [*module.parameters(), *module.buffers(), *first.values(), *then.values()]
    cache = module.make_cache(room)
    with torch.no_grad():
        with LiveBytes(set(map(key_of, known))) as live:
            module(**first, cache=cache)
            held = live.peak = live.live
            module(**then, cache=cache)
        again = module.make_cache(room)
        module(**first, cache=again)
        with FlopCounterMode(display=False) as counter:
            module(**then, cache=again)
    return live.peak - held, live.live, counter.get_total_flops()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("model", DECODERS, ids=lambda model: model.name)
def test_a_step(model: Model, attention: str):
    if attention in model.refuses:
        pytest.skip(f"{model.name} cannot be built with attention={attention}")
    module: Any = api.compile(model.spec, preset=model.preset, overrides=model.params, attention=attention)
    assert model.decode
    name, case = next(iter(model.cases.items()))
    given = draw(case, case.inputs, model.name, name)
    length = given[model.decode.steps[0]].shape[-1]
    first, then = step(given, model.decode, 0, length - 1), step(given, model.decode, length - 1, length)
    subject = Subject(module.source, model.name)
    found = subject.decode(shapes(first), shapes(then), length + 3, Mode(picked=GLOBAL))
    peak, cache, flops = measured(module, first, then, length + 3)
    assert (found.cache, counted(found)) == (cache, flops)
    assert found.peak == peak or (model.spec in EVEN and 0.5 < found.peak / peak < 2)


def counted(found: Decoding) -> int:
    """FLOPs that FlopCounterMode sees on a CPU, which fused attention is not."""
    return sum(k.flops for k in found.kernels if k.name != "scaled_dot_product_attention")


@lru_cache
def large() -> Subject:
    return Subject(api.source(api.load("gpt2"), attention="sdpa"), "gpt2")


@pytest.mark.parametrize("batch", [1, 4])
def test_a_step_reads_the_weights_once_and_the_cache(batch: int):
    past, subject = 1000, large()
    ids = ((batch, past), "int64")
    found = subject.decode({"input_ids": ids}, {"input_ids": ((batch, 1), "int64")}, past + 1)
    keys = 12 * 2 * batch * (past + 1) * 768 * 4
    weights = subject.trace({"input_ids": ((1, 1), "int64")}).parameters - 1024 * 768 * 4  # but positions
    read = sum(k.read for k in found.kernels)
    assert found.cache == keys
    assert keys + weights < read < 1.05 * (keys + weights)
    assert found.flops == 2 * batch * (weights // 4 - biases()) + 4 * 12 * batch * (past + 1) * 768


def biases() -> int:
    """Parameters of gpt2 that no product reads: of linear maps and norms."""
    return 12 * (9 * 768 + 4 * 768) + 2 * 768
