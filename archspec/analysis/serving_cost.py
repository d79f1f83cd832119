"""What serving a model costs: first token, next tokens, throughput, money; and how much of it fits a device.

A batch is served together: a prefill of all its inputs, which gives every request its first output token,
then one step for each further token. Every step reads the weights once for the whole batch, and the state
(keys and values, or a recurrent state) of every sequence. The model comes in as plain numbers and functions
of sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from archspec.analysis.device import Device
from archspec.analysis.ranges import Range, positive
from archspec.analysis.roofline import Efficiency, Load, time_range, timing, total

MILLION = 1e6
HOUR = 3600.0


class Served(Struct, frozen=True):
    """A model as its server sees it.

    `weight_bytes`: all that is resident. `step_bytes(batch)`: weight bytes that one step reads; rows of an
    embedding table and experts that no token goes to are not read. `state_bytes(context)`: bytes of state of
    one sequence that holds so many tokens. `prefill_flops(tokens)` and `step_flops(context)`: FLOPs of one
    sequence (2 per multiply-add). `prefill_bytes(batch, tokens)`: bytes that a prefill moves.
    `activation_bytes(batch, tokens)`: peak of what is computed in between. `dtype` is that of the matrix
    products. `prefill_loads(batch, tokens)`: the operations of a prefill, where they are known.
    """

    weight_bytes: int
    step_bytes: Callable[[int], float]
    state_bytes: Callable[[int], float]
    prefill_flops: Callable[[int], float]
    step_flops: Callable[[int], float]
    prefill_bytes: Callable[[int, int], float]
    activation_bytes: Callable[[int, int], float]
    dtype: str = "bf16"
    prefill_loads: Callable[[int, int], Sequence[Load]] | None = None

    def filling(self, batch: int, tokens: int) -> Sequence[Load]:
        """The operations of a prefill, one by one where they are known. Raises ArchspecError D004."""
        whole = prefill(self, batch, tokens)
        return [whole] if self.prefill_loads is None else self.prefill_loads(batch, tokens)


class Requests(Struct, frozen=True):
    """So many requests at once, each with input tokens and output tokens."""

    batch: int
    inputs: int
    outputs: int


class ServingCost(Struct, frozen=True):
    """Seconds, tokens and dollars of a batch of requests; the best ends at high efficiency and low price.

    `first_token` (TTFT) and `next_token` (TPOT, the mean over the outputs) are seconds, `request` seconds
    from input to last token, without waiting. `tokens_per_second` counts output tokens of the whole batch.
    Dollars are None where the device states no price; what a request of one output token has none of is None
    too.
    """

    first_token: Range
    next_token: Range | None
    request: Range
    tokens_per_second: Range
    requests_per_second: Range
    dollars_per_1000_requests: Range | None
    dollars_per_million_inputs: Range | None
    dollars_per_million_outputs: Range | None
    prefill_bound: str
    decode_bound: str | None


def prefill(model: Served, batch: int, tokens: int) -> Load:
    """The prefill of a batch as one load. Raises ArchspecError D004."""
    positive("batch", batch)
    positive("input tokens", tokens)
    return Load(
        batch * model.prefill_flops(tokens), model.prefill_bytes(batch, tokens), model.dtype, "prefill"
    )


def step(model: Served, batch: int, context: int) -> Load:
    """One decode step of a batch whose sequences hold `context` tokens each. Raises ArchspecError D004."""
    positive("batch", batch)
    positive("context", context)
    moved = model.step_bytes(batch) + batch * model.state_bytes(context)
    return Load(batch * model.step_flops(context), moved, model.dtype, "decode step")


def serving_cost(
    model: Served, device: Device, requests: Requests, reached: Efficiency | None = None
) -> ServingCost:
    """What a batch of requests costs on one device.

    Raises ArchspecError D003 for a figure that the device does not state, D004 for what is no size.
    """
    positive("output tokens", requests.outputs)
    batch, steps = requests.batch, requests.outputs - 1
    filling = model.filling(batch, requests.inputs)
    first = time_range(filling, device, reached)
    following = _mean_step(model, device, requests, reached) if steps else None
    whole = first.plus(following.scaled(steps)) if following else first
    price = device.dollars_per_hour().scaled(1 / HOUR) if device.price else None
    return ServingCost(
        first,
        following,
        whole,
        whole.rate(batch * requests.outputs),
        whole.rate(batch),
        _dollars(whole, price, 1000 / batch),
        _dollars(first, price, MILLION / (batch * requests.inputs)),
        _dollars(following, price, MILLION / batch),
        total(filling, device).bound,
        timing(step(model, batch, requests.inputs + steps), device).bound if steps else None,
    )


def _mean_step(model: Served, device: Device, requests: Requests, reached: Efficiency | None) -> Range:
    """The mean over all contexts by Simpson's rule: exact where a step grows linearly with its context."""
    first, last = requests.inputs + 1, requests.inputs + requests.outputs - 1
    ends = first + last
    points = ((first, 1), (ends // 2, 2), (ends - ends // 2, 2), (last, 1))
    times = [
        (time_range([step(model, requests.batch, at)], device, reached), weight) for at, weight in points
    ]
    return Range(
        sum(time.best * weight for time, weight in times) / 6,
        sum(time.worst * weight for time, weight in times) / 6,
    )


def _dollars(time: Range | None, price: Range | None, count: float) -> Range | None:
    return time.times(price).scaled(count) if time and price else None
