"""`relative_bias`: a learned bias per bucket of distance."""

from __future__ import annotations

import math
from typing import ClassVar

from archspec.components.base import Component, Place, Problem
from archspec.components.embedding import UNIT_NORMAL, Embedding
from archspec.components.slots import Flag, Initial, Size
from archspec.dims import num as n
from archspec.dims.expr import Call
from archspec.dims.num import Num
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.ops.elementwise import Arith, Clamp, CompareScalar, Map, Scalar, Where
from archspec.ir.ops.shape import Permute
from archspec.ir.ops.source import Cast, Iota


class RelativeBias(Component, frozen=True):
    """A score bias by bucketed distance (Raffel et al. 2020, section 2.1): [H, 2 * max_distance + 1].

    Column max_distance + d is for a key d places behind its query, as `score_bias: relative(t)` reads it.
    Half of the buckets hold exact distances, the rest grow logarithmically up to `max_distance`, the last one
    goes on. `bidirectional` gives each direction half of them, else keys behind the query share the first.
    Parameter weight [buckets, H].
    """

    words: ClassVar = ("relative_bias",)
    source: ClassVar = True
    num_heads: Size
    buckets: Size = n.num(32)
    max_distance: Size = n.num(128)
    bidirectional: Flag = True
    init: Initial = UNIT_NORMAL

    def lower(self, at: Place, *inputs: Handle) -> Results:
        directions = 2 if self.bidirectional else 1
        if int(self.buckets) % (2 * directions):
            raise Problem(
                "T008", f"{self.buckets.described()} buckets do not divide by {2 * directions}", "buckets"
            )

        def body(b: Builder, _: Results) -> Results:
            columns = b.apply(Iota(2 * self.max_distance + 1, n.num(0)), name="columns")
            distance = b.apply(Scalar("sub", self.max_distance), columns, name="distance")
            rows = Embedding(num=self.buckets, dim=self.num_heads, init=self.init)
            table = rows.lower(at.inside(b, "table"), self._bucket(b, distance))[0]
            return (b.apply(Permute((1, 0)), table, name="bias"),)

        return at.module("relative_bias", body)

    def _bucket(self, b: Builder, distance: Handle) -> Handle:
        buckets = self.buckets // 2 if self.bidirectional else self.buckets
        if self.bidirectional:
            ahead = b.apply(Cast("int64"), b.apply(CompareScalar("gt", n.num(0)), distance))
            side = b.apply(Scalar("mul", buckets), ahead, name="side")
            near = b.apply(Map("abs"), distance, name="near")
            return b.apply(Arith("add"), side, self._magnitude(b, near, buckets), name="bucket")
        near = b.apply(Map("neg"), b.apply(Clamp(None, n.num(0)), distance), name="near")
        return self._magnitude(b, near, buckets)

    def _magnitude(self, b: Builder, near: Handle, buckets: Num) -> Handle:
        """Exact up to half of the buckets, logarithmic above, in fp32 as the reference has it."""
        exact = buckets // 2
        ratio = b.apply(Scalar("div", exact), b.apply(Cast("float32"), near))
        reach = self.max_distance / exact
        span = n.Num(math.log(reach.real), Call("log", (reach.expr,)))
        grown = b.apply(
            Scalar("mul", buckets - exact), b.apply(Scalar("div", span), b.apply(Map("log"), ratio))
        )
        far = b.apply(Scalar("add", exact), b.apply(Cast("int64"), grown), name="far")
        capped = b.apply(Scalar("minimum", buckets - 1), far, name="far")
        return b.apply(Where(), b.apply(CompareScalar("lt", exact), near), near, capped, name="bucket")
