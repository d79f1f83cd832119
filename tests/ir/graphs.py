"""Small valid graphs of every shape that graphs come in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.dims.num import Value as Setting
from archspec.dims.parse import parse
from archspec.ir.graph import (
    Apply,
    Call,
    Graph,
    Init,
    Loss,
    Node,
    Param,
    Region,
    Repeat,
    State,
    Value,
    parameters,
)
from archspec.ir.op import Op, result_types
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.contract import Linear
from archspec.ir.ops.elementwise import Arith, Dropout, Map, Scalar
from archspec.ir.ops.loss import MeanError
from archspec.ir.ops.recurrence import Scan
from archspec.ir.ops.reduce import Softmax
from archspec.ir.ops.shape import Concat, Expand, Reshape, Slice, Split
from archspec.ir.ops.source import Cast, Full, Iota
from archspec.ir.ops.state import Append, Hold, Keep, Recall
from archspec.ir.types import Shape, TensorType

B, S, PAST = n.symbol("B"), n.symbol("S"), n.symbol("past")
WIDTH, HEADS, RATE = n.named("width", 8), n.named("heads", 2), n.named("rate", 0.1)
BINDINGS: tuple[tuple[str, Setting], ...] = (
    ("width", n.num(8)),
    ("heads", n.num(2)),
    ("wide", WIDTH * 4),
    ("rate", n.num(0.1)),
    ("half", B * WIDTH // 3),
    ("gated", True),
    ("activation", 'relu, or: "none"\n'),
    ("windows", (n.num(4), None, (WIDTH // 2,), "all", False)),
    ("nothing", None),
)
WIDE = n.named("wide", 32)
RUNNING: Shape = (B, S, WIDTH)


@dataclass
class Body:
    """A region under construction. `draw` picks what it is made of."""

    draw: st.DrawFn
    streams: bool
    depth: int = 0
    inputs: list[Value] = field(default_factory=list[Value])
    nodes: list[Node] = field(default_factory=list[Node])
    params: list[Param] = field(default_factory=list[Param])
    states: list[State] = field(default_factory=list[State])
    bindings: list[tuple[str, Setting]] = field(default_factory=list[tuple[str, Setting]])
    count: int = 0

    def name(self, hint: str) -> str:
        self.count += 1
        return f"{hint}_{self.count}"

    def input(self, name: str, type_: TensorType, optional: bool = False) -> Value:
        self.inputs.append(Value(name, type_, optional))
        return self.inputs[-1]

    def apply(self, op: Op, *operands: Value | None) -> tuple[Value, ...]:
        types = result_types(op, [None if x is None else x.type for x in operands])
        results = tuple(Value(self.name(op.name), t) for t in types)
        self.nodes.append(Apply(op, operands, results))
        return results

    def param(self, hint: str, *shape: Num) -> Value:
        inits = (
            Init("normal", n.num(0.0), WIDTH**-0.5),
            Init("uniform", n.num(-1), RATE),
            Init("constant", n.num(1.0)),
        )
        trainable = self.draw(st.booleans())
        value = Value(self.name(hint), TensorType("float", shape))
        self.params.append(Param(value, self.draw(st.sampled_from(inits)), trainable))
        return value

    def region(self, name: str, component: str, *outputs: Value) -> Region:
        contents = tuple(self.nodes), tuple(self.params), tuple(self.states), tuple(self.bindings)
        return Region(name, component, tuple(self.inputs), outputs, *contents)

    def child(self) -> Body:
        inner = Body(self.draw, self.streams, self.depth + 1)
        if self.draw(st.booleans()):
            inner.bindings.append(("width", WIDTH))
            inner.bindings.append(("inner", WIDTH // HEADS))
        return inner

    def count_of_layers(self, count: int) -> Num:
        """The count by the name that the first repeat here brought into scope, if it is the same."""
        number = n.named(f"layers_{self.depth}", count)
        bound = dict(self.bindings).setdefault(str(number), number)
        if bound is number:
            self.bindings.append((str(number), number))
        return number if bound == number else n.num(count)

    def call(self, region: Region, *given: Value, shared: bool = False) -> Value:
        results = tuple(Value(self.name(region.name), v.type) for v in region.outputs)
        self.nodes.append(Call(region, given, results, shared))
        return results[0]

    def steps(self, x: Value, mask: Value | None) -> Value:
        kinds = [_elementwise, _projection, _halves, _attention] + [_module, _layers, _twice] * (
            self.depth < 2
        )
        for kind in self.draw(st.lists(st.sampled_from(kinds), max_size=3)):
            x = kind(self, x, mask)
        return x


def _elementwise(body: Body, x: Value, _: Value | None) -> Value:
    ops: tuple[Op, ...] = (
        Map("gelu"),
        Scalar("mul", WIDTH**-0.5, True),
        Dropout(RATE),
        Softmax(),
        Scalar("add", n.num(float("-inf"))),
    )
    (y,) = body.apply(body.draw(st.sampled_from(ops)), x)
    return body.apply(Arith("add"), x, y)[0]


def _projection(body: Body, x: Value, _: Value | None) -> Value:
    inner = body.child()
    given = inner.input("x", x.type)
    bias = inner.param("bias", WIDE) if body.draw(st.booleans()) else None
    (up,) = inner.apply(Linear(), given, inner.param("weight", WIDE, WIDTH), bias)
    (down,) = inner.apply(Linear(), up, inner.param("weight", WIDTH, WIDTH * 4))
    return body.call(inner.region(body.name("mlp"), "mlp", down), x)


def _halves(body: Body, x: Value, _: Value | None) -> Value:
    a, b = body.apply(Split(-1, (WIDTH // 2, WIDTH - WIDTH // 2)), x)
    (part,) = body.apply(Slice(2, n.num(0), WIDTH // 2), x)
    (a,) = body.apply(Arith("mul"), a, part)
    return body.apply(Concat(-1), b, a)[0]


def _attention(body: Body, x: Value, mask: Value | None) -> Value:
    inner = body.child()
    given = inner.input("x", x.type)
    keep = inner.input("keep", mask.type, mask.optional) if mask else None
    shape = (B, S, HEADS, WIDTH // HEADS)
    (q,) = inner.apply(Reshape((B, HEADS, S, WIDTH // HEADS)), inner.apply(Reshape(shape), given)[0])
    k, v, past = q, q, n.num(0)
    if body.streams:
        kept = (q.type, q.type)
        inner.states.append(State("kv", "append", kept, 2))
        k, v, past = *inner.apply(Append("kv", 2, PAST), q, q), PAST
    rule = parse("k <= q and q - k < window" + (" and keep[b, k]" if keep else ""))
    names = (("window", n.num(3)),)
    op = Attention((WIDTH // HEADS) ** -0.5, rule, past, ("keep",) if keep else (), names, None, RATE)
    (attended,) = inner.apply(op, q, k, v, None, None, *([keep] if keep else []))
    (merged,) = inner.apply(Reshape(RUNNING), attended)
    return body.call(inner.region(body.name("attn"), "attention", merged), x, *([mask] if mask else []))


def _inner(body: Body, x: Value, mask: Value | None, name: str) -> Region:
    inner = body.child()
    given = inner.input("x", x.type)
    keep = inner.input("keep", mask.type, mask.optional) if mask else None
    return inner.region(name, "block", inner.steps(given, keep))


def _module(body: Body, x: Value, mask: Value | None) -> Value:
    return body.call(_inner(body, x, mask, body.name("block")), x, *([mask] if mask else []))


def _twice(body: Body, x: Value, mask: Value | None) -> Value:
    region = _inner(body, x, mask, body.name("shared"))
    given = [mask] if mask else []
    return body.call(region, body.call(region, x, *given), *given, shared=True)


def _layers(body: Body, x: Value, mask: Value | None) -> Value:
    name = body.name("h")
    variants = [_inner(body, x, mask, name) for _ in range(body.draw(st.integers(1, 2)))]
    extra = body.draw(st.lists(st.integers(0, len(variants) - 1), max_size=5))
    schedule = (*range(len(variants)), *extra)
    result = Value(body.name(name), x.type)
    count = body.count_of_layers(len(schedule))
    given = (x, *([mask] if mask else []))
    shared = body.draw(st.booleans())
    body.nodes.append(Repeat(name, tuple(variants), schedule, count, given, (result,), shared))
    return result


def _defaults(positions: Value) -> Region:
    count = Value("iota", TensorType("int64", (S,)))
    nodes = Apply(Iota(S, n.num(0)), (), (count,)), Apply(Expand((B, S)), (count,), (positions,))
    return Region("defaults", "defaults", (), (positions,), nodes)


def _loss(given: Value, result: Value) -> Loss:
    scalar = Value("loss", TensorType("float32", ()))
    region = Region(
        "error", "mse", (result, given), (scalar,), (Apply(MeanError("mse"), (result, given), (scalar,)),)
    )
    noisy = Value("x", given.type)
    feed = Region("feed", "feed", (noisy,), (Value("x", given.type),), ())
    return Loss("error", region, feed)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A valid graph: steps over a running value, in calls, repeats and shared calls."""
    stream = draw(st.sampled_from((None, "S")))
    body = Body(draw, stream is not None, bindings=list(BINDINGS))
    x = body.input("x", TensorType("float", RUNNING))
    positions = body.input("positions", TensorType("int64", (B, S)))
    keys = PAST + S if stream else S
    mask = body.input("mask", TensorType("int64", (B, keys)), optional=True) if draw(st.booleans()) else None
    (shift,) = body.apply(Reshape((B, S, n.num(1))), body.apply(Cast("float"), positions)[0])
    y = body.steps(body.apply(Arith("add"), x, shift)[0], mask)
    if stream:
        body.states.append(State("first", "hold", (x.type,)))
        y = body.apply(Arith("add"), y, body.apply(Hold("first"), x)[0])[0]
        y = _scanned(body, y)
    root = body.region("", "small-net 2", y)
    name, summary = draw(st.sampled_from(("net", "net-2", "a b"))), draw(st.text(max_size=8))
    defaults = _defaults(positions) if draw(st.booleans()) else None
    losses = (_loss(x, replace(y, name="y")),) if draw(st.booleans()) else ()
    graph = Graph(name, summary, "", ("B", "S"), stream, root, defaults, (("y", y),), losses, ())
    return replace(graph, ties=draw(st.sampled_from(((), _ties(graph)))))


def _scanned(body: Body, x: Value) -> Value:
    """A recurrence that goes on from the step before."""
    (zeros,) = body.apply(Full((B, WIDTH), n.num(0)))
    body.states.append(State("h", "recall", (zeros.type,)))
    h, last = body.apply(Scan(1), x, x, *body.apply(Recall("h"), zeros))
    body.apply(Keep("h", S), last)
    return h


def _ties(graph: Graph) -> tuple[tuple[str, str], ...]:
    """Each parameter of a shape tied to the first of that shape."""
    first: dict[TensorType, str] = {}
    found: list[tuple[str, str]] = []
    for path, param in parameters(graph):
        owner = first.setdefault(param.value.type, path)
        found += [(path, owner)] if owner != path else []
    return tuple(found)
