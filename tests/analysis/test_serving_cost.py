"""Serving in plain numbers: a decoder of 8B parameters, and cases that can be added up by hand."""

from typing import Any

import pytest
from msgspec.structs import replace

from archspec.analysis.capacity import largest_batch, longest_context, memory
from archspec.analysis.devices import device
from archspec.analysis.ranges import Band
from archspec.analysis.roofline import Efficiency
from archspec.analysis.serving_cost import Requests, Served, prefill, serving_cost, step
from archspec.errors import ArchspecError

A100, H100 = device("a100-80gb"), device("h100-sxm")
PEAK = Efficiency(Band(1, 1, "ideal"), Band(1, 1, "ideal"))

PARAMETERS, TABLE, LAYERS, HIDDEN = 8_030_261_248, 128256 * 4096, 32, 4096
STATE = 131072  # bytes a token: 2 × 32 layers × 8 heads × 128 × bf16
READ = 2 * (PARAMETERS - TABLE)


def attention(context: float) -> float:
    return 4 * LAYERS * HIDDEN * context


def fixed(*sizes: int) -> float:
    return 2**20


def greedy(batch: int, tokens: int) -> float:
    return batch * tokens * 10 * STATE


MODEL = Served(
    weight_bytes=2 * PARAMETERS,
    step_bytes=lambda batch: READ + 2 * batch * HIDDEN,
    state_bytes=lambda context: STATE * context,
    prefill_flops=lambda tokens: READ * tokens + attention(tokens) * tokens,
    step_flops=lambda context: READ + attention(context),
    prefill_bytes=lambda batch, tokens: READ + batch * tokens * STATE,
    activation_bytes=lambda batch, tokens: 4 * batch * tokens * HIDDEN * 2,
)


def test_one_sequence_decodes_as_measured():
    """gpt-fast: 93.89 tokens a second after five tokens of prompt; the band's best end is that of bf16."""
    found = serving_cost(MODEL, A100, Requests(1, 5, 200))
    assert found.next_token
    assert 1 / found.next_token.best == pytest.approx(93.89, rel=0.1)
    assert (found.prefill_bound, found.decode_bound) == ("memory", "memory")


def test_times_add_up():
    requests = Requests(batch=4, inputs=1000, outputs=101)
    found = serving_cost(MODEL, A100, requests, PEAK)
    filling = max(4 * MODEL.prefill_flops(1000) / 312e12, MODEL.prefill_bytes(4, 1000) / 2039e9)
    steps = [(READ + 8 * HIDDEN + 4 * STATE * (1000 + k)) / 2039e9 for k in range(1, 101)]
    assert found.first_token.best == found.first_token.worst == pytest.approx(filling)
    assert found.next_token
    assert found.next_token.best == pytest.approx(sum(steps) / 100, rel=1e-5)
    assert found.request.best == pytest.approx(filling + sum(steps), rel=1e-5)
    assert found.tokens_per_second.best == pytest.approx(4 * 101 / found.request.best)
    assert found.requests_per_second.best == pytest.approx(4 / found.request.best)
    assert found.prefill_bound == "compute"


def test_money_adds_up():
    """Dollars of inputs and of outputs are those of the requests; the first output comes with the inputs."""
    found = serving_cost(MODEL, A100, Requests(4, 1000, 101))
    assert found.dollars_per_1000_requests
    assert found.dollars_per_million_inputs
    assert found.dollars_per_million_outputs
    parts = found.dollars_per_million_inputs.worst * 1.0 + found.dollars_per_million_outputs.worst * 0.1
    assert found.dollars_per_1000_requests.worst == pytest.approx(parts)
    assert found.dollars_per_1000_requests.worst == pytest.approx(
        found.request.worst * 3.4309 / 3600 / 4 * 1000
    )
    assert found.dollars_per_1000_requests.best < found.dollars_per_1000_requests.worst


def test_a_batch_shares_the_weights():
    one, many = (serving_cost(MODEL, A100, Requests(batch, 128, 128)) for batch in (1, 32))
    assert many.tokens_per_second.best > 20 * one.tokens_per_second.best
    assert many.request.best > one.request.best
    assert one.tokens_per_second.best > one.tokens_per_second.worst


def test_a_large_batch_is_bound_by_compute():
    short = replace(MODEL, state_bytes=fixed)
    assert serving_cost(short, A100, Requests(1024, 16, 16)).decode_bound == "compute"
    assert serving_cost(short, A100, Requests(8, 16, 16)).decode_bound == "memory"


def test_one_output_token_needs_no_step():
    found = serving_cost(MODEL, A100, Requests(1, 100, 1))
    assert (found.next_token, found.dollars_per_million_outputs, found.decode_bound) == (None, None, None)
    assert found.request == found.first_token


def test_without_a_price_there_is_no_money():
    found = serving_cost(replace(MODEL, dtype="fp32"), device("epyc-9654"), Requests(1, 10, 10))
    assert found.dollars_per_1000_requests is None
    assert found.request.best > 0


def test_the_largest_batch_is_the_last_that_fits():
    found = largest_batch(MODEL, H100, context=8192)
    assert found.largest > 1
    assert found.memory.total <= found.available == H100.capacity()
    assert memory(MODEL, found.largest + 1, 8192).total > found.available
    assert found.memory == memory(MODEL, found.largest, 8192)
    assert found.binding == "state"


def test_the_longest_context_is_the_last_that_fits():
    found = longest_context(MODEL, H100, batch=3)
    assert (
        memory(MODEL, 3, found.largest).total <= found.available < memory(MODEL, 3, found.largest + 1).total
    )


def test_a_chunk_bounds_activations():
    whole, chunked = (largest_batch(MODEL, H100, 32768, chunk=chunk) for chunk in (None, 512))
    assert chunked.largest > whole.largest
    assert chunked.memory.activations == MODEL.activation_bytes(chunked.largest, 512)


def test_what_stands_in_the_way():
    assert largest_batch(replace(MODEL, activation_bytes=greedy), H100, 4096).binding == "activations"
    assert longest_context(MODEL, H100, 1, limit=8192).binding == "limit"
    assert longest_context(MODEL, H100, 1, limit=8192).largest == 8192
    heavy = replace(MODEL, weight_bytes=200 * 2**30)
    assert (largest_batch(heavy, H100, 1).largest, largest_batch(heavy, H100, 1).binding) == (0, "weights")
    too_long = largest_batch(MODEL, H100, 1_000_000)
    assert (too_long.largest, too_long.binding) == (0, "state")


def test_a_reserve_is_not_there_to_be_used():
    assert (
        largest_batch(MODEL, H100, 8192, reserve=20 * 2**30).largest
        < largest_batch(MODEL, H100, 8192).largest
    )


def test_a_state_that_does_not_grow_leaves_the_context_open():
    recurrent = replace(MODEL, state_bytes=fixed, activation_bytes=fixed)
    found = longest_context(recurrent, H100, 1, limit=1 << 20)
    assert (found.largest, found.binding) == (1 << 20, "limit")


REFUSED = [
    lambda: prefill(MODEL, 0, 1),
    lambda: prefill(MODEL, 1, 0),
    lambda: step(MODEL, 1, -1),
    lambda: serving_cost(MODEL, A100, Requests(1, 10, 0)),
    lambda: memory(MODEL, 1, 0),
    lambda: largest_batch(MODEL, A100, 10, reserve=-1),
    lambda: largest_batch(MODEL, A100, 10, limit=0),
]


@pytest.mark.parametrize("ask", REFUSED)
def test_sizes_that_are_none(ask: Any):
    with pytest.raises(ArchspecError, match="D004"):
        ask()
