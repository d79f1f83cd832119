"""What devices send each other."""

from __future__ import annotations

from msgspec import Struct

from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import Num

WIDTHS = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


class Collective(Struct, frozen=True):
    """One message pattern over one axis of a layout.

    `kind`: all_reduce, all_gather, reduce_scatter, all_to_all, send. `over`: tp, sp (the devices of tp), ep,
    cp, pp, dp (all with the same dense weights), edp (with the same experts), or ends (of a pipeline).
    `when`: forward or backward, for each microbatch; step, once; output, where a whole result is wanted.
    `value` of the region `path` is what it is about, `elements` its size, put together; it happens `times`.
    """

    kind: str
    over: str
    when: str
    path: str
    value: str
    elements: Num
    dtype: str
    times: int = 1

    def payload(self, width: int = 2) -> Num:
        """Bytes of all `times`, where `float` takes `width` bytes."""
        return self.elements * (WIDTHS.get(self.dtype, width) * self.times)

    def wire(self, devices: int, width: int = 2) -> Num:
        """Bytes that each device sends, by a ring: (n-1)/n of the payload, twice that for all_reduce.

        A `send` goes out whole.
        """
        if self.kind == "send":
            return self.payload(width)
        factor = 2 if self.kind == "all_reduce" else 1
        return fraction(self.payload(width), factor * (devices - 1), devices)


def counted(*shape: Num) -> Num:
    """How many elements, with nothing in a cache: `past` is 0."""
    sizes = (size if size.static else n.num(poly.evaluate(size.size, {"past": 0})) for size in shape)
    return n.num(n.product(tuple(sizes)).value)


def fraction(amount: Num, top: int, bottom: int) -> Num:
    """`amount * top / bottom`, rounded up where it has a fraction."""
    whole = amount * top
    return n.num((whole + (bottom - 1)).value) // bottom if (whole % bottom).value != 0 else whole // bottom
