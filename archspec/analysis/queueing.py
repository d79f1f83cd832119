"""How long requests wait and take, at a mean load: two simple queues, both about means, not about tails.

Models that answer at once run fixed batches: M/D/c, whose wait is half of that of M/M/c, in Sakasegawa's
approximation (1977, Annals of the Institute of Statistical Mathematics 29, 67-75). Models that stream join a
running batch (Yu et al. 2022, Orca, OSDI; continuous batching): at a steady load as many sequences run as
Little's law says (Little 1961, doi:10.1287/opre.9.3.383).
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt

from msgspec import Struct

MOST_BUSY = 0.9  # a plan leaves a tenth of the time: waiting grows without bound towards the whole
MOST_TOGETHER = 1 << 14  # sequences in one running batch


def waiting(rate: float, service: float, servers: int) -> float | None:
    """Mean seconds in the queue of M/D/c: `rate` a second, each `service` seconds; None if it never ends."""
    busy = rate * service / servers
    if busy >= 1:
        return None
    return service * busy ** (sqrt(2 * (servers + 1)) - 1) / (servers * (1 - busy)) / 2


class Steady(Struct, frozen=True):
    """A load that is carried. `together`: requests in a batch; `busy`: share of the time that is taken.

    `first`: mean seconds to the first result, `latency`: to the last, with waiting.
    """

    together: int
    busy: float
    first: float
    latency: float


def fixed_batch(rate: float, batch: int, service: float, servers: int) -> Steady | None:
    """Batches are filled, queue and run; None where more than `MOST_BUSY` of the time is taken."""
    busy = rate * service / (batch * servers)
    wait = waiting(rate / batch, service, servers)
    if wait is None or busy > MOST_BUSY:
        return None
    latency = (batch - 1) / (2 * rate) + wait + service
    return Steady(batch, busy, latency, latency)


def running_batch(rate: float, prefill: float, step: Callable[[int], float], outputs: int) -> Steady | None:
    """One server with continuous batching: prefills one by one, decode steps in between.

    `step(n)`: seconds of one step of n sequences. The batch is the smallest from which tokens leave as fast
    as requests ask for them; None where no batch does.
    """
    filling = rate * prefill
    if filling >= MOST_BUSY:
        return None
    left, wanted = MOST_BUSY - filling, rate * (outputs - 1)
    together = _smallest(lambda n: n * left >= wanted * step(n))
    if together is None:
        return None
    stretched = step(together) / (1 - filling)
    wait = waiting(rate, prefill, 1)
    assert wait is not None, "prefills take less than all of the time"
    first = wait + stretched / 2 + prefill
    busy = filling + wanted * step(together) / together
    return Steady(together, busy, first, first + (outputs - 1) * stretched)


def room_for(together: int) -> int:
    """Sequences to keep room for: two standard deviations above the mean of a Poisson number."""
    return together + ceil(2 * sqrt(together))


def _smallest(holds: Callable[[int], bool]) -> int | None:
    """The smallest number that holds, if all above it do."""
    high = 1
    while not holds(high):
        high *= 2
        if high > MOST_TOGETHER:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
