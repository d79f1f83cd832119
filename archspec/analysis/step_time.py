"""Seconds of one training iteration of a layout.

A stage computes its layers for one microbatch, forward and backward, and sends what its collectives say; they
are counted one after the other. 1F1B takes as long as its slowest stage for all microbatches, and once all
the other stages, over the chunks of each (Narayanan et al. 2021, arXiv:2104.04473, section 2.2). What
overlaps: gradients of replicas with the backward pass of the last microbatch, gathered weights with the
forward pass, but for the share of one layer, which nothing hides. What does not: tp, sp, ep and cp
collectives, messages between stages, the optimizer's step.
"""

from __future__ import annotations

from msgspec import Struct

from archspec.analysis.sharding.pipeline import Stage
from archspec.analysis.sharding.ranks import Placed
from archspec.analysis.speed import Speed
from archspec.analysis.step_load import Load
from archspec.analysis.step_parts import Parts


class Kept(Struct, frozen=True):
    """Bytes of a parameter: its weight, its gradient, and what its optimizer keeps beside them."""

    weight: float
    gradient: float
    optimizer: float

    @property
    def touched(self) -> float:
        """Bytes that an optimizer's step reads and writes of it."""
        return self.gradient + 2 * self.optimizer + self.weight


class StepTime(Struct, frozen=True):
    """Seconds of an iteration on the slowest stage, part by part.

    `computing` and `sending` (inside a stage and to its neighbours) of all microbatches, `bubble`: waiting,
    `replicas`: what is seen of sums over replicas, `optimizer`: its step.
    """

    computing: float
    sending: float
    bubble: float
    replicas: float
    optimizer: float

    @property
    def seconds(self) -> float:
        return self.computing + self.sending + self.bubble + self.replicas + self.optimizer


class _Turn(Struct, frozen=True):
    """One microbatch on one stage, in seconds; `load` is that of its layers and its end."""

    load: Load
    forward: float
    backward: float
    sending: float

    @property
    def seconds(self) -> float:
        return self.forward + self.backward + self.sending


def step_time(placed: Placed, parts: Parts, recompute: str, kept: Kept, speed: Speed) -> StepTime:
    """Seconds of one iteration; `parts` are those of the layout's tp, ep, cp, sp, and of one microbatch."""
    last = len(placed.stages) - 1
    known = dict[tuple[tuple[tuple[str, int], ...], bool, bool], _Turn]()
    turns = list[_Turn]()
    for number, at in enumerate(placed.stages):
        key = (at.runs, number == 0, number == last)
        if key not in known:
            known[key] = _turn(placed, number, parts, recompute, speed)
        turns.append(known[key])
    slowest = max(range(last + 1), key=lambda i: turns[i].seconds)
    turn, at, many = turns[slowest], placed.stages[slowest], placed.layout.microbatches
    waiting = sum(one.seconds for one in turns) - turn.seconds
    return StepTime(
        many * (turn.forward + turn.backward),
        many * turn.sending + turn.load.fixed,
        waiting / placed.layout.interleave,
        _replicas(placed, at, turn, kept, speed) + _ends(placed, parts, kept, speed),
        placed.held(slowest).optimizer * kept.touched / speed.memory,
    )


def _turn(placed: Placed, stage: int, parts: Parts, recompute: str, speed: Speed) -> _Turn:
    last = len(placed.stages) - 1
    layers = parts.of(placed.stages[stage])
    load = layers
    load = load.plus(parts.first) if stage == 0 else load
    load = load.plus(parts.last) if stage == last else load
    again = {"full": layers.forward, "selective": layers.core}.get(recompute, 0.0)
    sending = load.sent_forward + load.sent_backward + (layers.sent_forward if recompute == "full" else 0)
    return _Turn(
        load, load.forward, load.backward + again, sending + _neighbours(placed, stage, parts, speed)
    )


def _neighbours(placed: Placed, stage: int, parts: Parts, speed: Speed) -> float:
    """Seconds of sending on what layers carry, and back its gradient, once for each chunk.

    Each device of tp sends its part of it, which the receivers then gather (arXiv:2104.04473, section 4.1);
    with sequence parallelism it holds no more than its part.
    """
    layout = placed.layout
    if layout.pp == 1:
        return 0.0
    forward = layout.interleave - (stage == layout.pp - 1)
    backward = layout.interleave - (stage == 0)
    shares = 1 if layout.sp else layout.tp
    sent = parts.carried / shares / speed.between(layout, "pp", layout.pp)
    gathered = parts.carried * (shares - 1) / shares / speed.between(layout, "tp", layout.tp)
    return (forward + backward) * (sent + gathered + speed.latency)


def _replicas(placed: Placed, at: Stage, turn: _Turn, kept: Kept, speed: Speed) -> float:
    """What computing does not hide of sums of gradients and of gathered weights."""
    layout = placed.layout
    reduced = gathered = 0.0
    for over, count, devices in (("dp", at.dense, layout.data), ("edp", at.experts, layout.expert_data)):
        share = count * (devices - 1) / devices / speed.between(layout, over, devices)
        reduced += share * kept.gradient * (1 if layout.zero else 2)
        gathered += share * kept.weight if layout.zero else 0.0
    layers = max(at.layers, 1)
    if layout.zero < 3:
        return _seen(reduced, turn.backward, layers) + _seen(gathered, turn.forward, layers)
    each = _seen(gathered, turn.forward, layers) + _seen(gathered, turn.backward, layers)
    return _seen(reduced, turn.backward, layers) + layout.microbatches * each


def _seen(sent: float, behind: float, layers: int) -> float:
    """The share of one layer, which is last (or first), and what takes longer than the computing."""
    return max(sent / layers, sent - behind)


def _ends(placed: Placed, parts: Parts, kept: Kept, speed: Speed) -> float:
    layout = placed.layout
    return (
        parts.tied * kept.gradient / kept.weight / speed.between(layout, "ends", 2) if layout.pp > 1 else 0.0
    )
