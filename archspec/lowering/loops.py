"""`repeat` and `each`: one region with a count where layers are alike, one region per layer where they are not."""

from __future__ import annotations

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.dims.num import Num, Value
from archspec.errors import Diagnostic, LoweringError, did_you_mean
from archspec.ir.builder import Builder, Handle
from archspec.lowering import blocks
from archspec.lowering.frame import Frame, LoopIndex
from archspec.lowering.reading import number_of, read_tensor, value_of
from archspec.lowering.vary import layer_value, settle
from archspec.spec.node import Mapping, Node, Scalar
from archspec.spec.spec import BlockDef
from archspec.spec.tree import Body, Each, Push, Repeat, Step

MAX_LAYERS = 10_000
Layer = tuple[Builder, tuple[Handle, ...], LoopIndex]


def repeat(frame: Frame, step: Repeat) -> tuple[Handle, ...]:
    """Layers of one body or block, each fed by the one before."""
    count = _count(frame, step)
    name = step.common.names[0]
    if int(count) == 0:
        return (_start(frame, step.args),)
    start = _start(frame, step.args)
    shared = step.shared is not None and value_of(frame, step.shared) is True
    if step.body is not None and _moves_stack(step.body):
        return _unrolled(frame, step, name, int(count), start)
    layers, schedule = _variants(frame, step, name, int(count), start)
    if any(len(out) != 1 or not _alike(out[0], start) for _, out, _ in layers):
        if shared:
            out = layers[0][1][0]
            raise Problem("L011", f"shared layers must keep their type, but {start.type} becomes {out.type}")
        return _unrolled(frame, step, name, int(count), start)
    return frame.builder.repeat(
        name, [b for b, _, _ in layers], [out for _, out, _ in layers], schedule, count, shared=shared
    )


def _count(frame: Frame, step: Repeat) -> Num:
    try:
        count = number_of(frame, step.count)
        value = int(count)
    except (Problem, n.NumError) as fault:
        raise LoweringError(
            Diagnostic("S003", f"'repeat': {fault}", step.count.span, "a whole number or an expression")
        ) from None
    if not 0 <= value <= MAX_LAYERS:
        raise LoweringError(
            Diagnostic(
                "L032", f"{count.described()} layers; between 0 and {MAX_LAYERS} are built", step.count.span
            )
        )
    return count


def _start(frame: Frame, args: Mapping) -> Handle:
    node = args.get("in")
    return frame.running() if node is None else read_tensor(frame, node)


def _alike(out: Handle, start: Handle) -> bool:
    a, b = out.type, start.type
    return (
        a.dtype == b.dtype
        and a.rank == b.rank
        and all(n.same(x, y) for x, y in zip(a.shape, b.shape, strict=True))
    )


def _moves_stack(body: Body) -> bool:
    """Whether a body pushes or pops: its layers then differ in what they take or give."""
    return any(
        isinstance(step, Push) or _pops(step) or any(_moves_stack(b) for b in bodies(step)) for step in body
    )


def bodies(step: Step) -> tuple[Body, ...]:
    found = [getattr(step, key, None) for key in ("body", "shortcut")]
    return tuple(b for b in (*found, *getattr(step, "branches", ())) if b)


def _pops(step: Step) -> bool:
    return _mentions_pop(getattr(step, "args", None))


def _mentions_pop(node: Node | None) -> bool:
    if not isinstance(node, Mapping):
        return False
    return any(key.value == "pop" or _mentions_pop(value) for key, value in node.entries)


def _variants(
    frame: Frame, step: Repeat, name: str, count: int, start: Handle
) -> tuple[list[Layer], tuple[int, ...]]:
    """The distinct layers, and which of them each layer is."""
    layers: list[Layer] = []
    found: dict[object, int] = {}
    schedule: list[int] = []
    for i in range(count):
        varied = _varied(frame, step, i, count)
        key = (tuple(varied.items()), i if layers and layers[0][2].read else None)
        if key not in found:
            layer = _layer(frame, step, name, i, varied, start)
            if layer[2].read and not layers:
                key = (tuple(varied.items()), i)
            found[key] = len(layers)
            layers.append(layer)
        schedule.append(found[key])
    return layers, tuple(schedule)


def _varied(frame: Frame, step: Repeat, i: int, count: int) -> dict[str, Node]:
    if step.vary is None:
        return {}
    return {str(key.value): layer_value(value, i, count, str(key.value)) for key, value in step.vary.entries}


def _layer(frame: Frame, step: Repeat, name: str, i: int, varied: dict[str, Node], start: Handle) -> Layer:
    """One layer, lowered in a region of its own."""
    block = _block(frame, step)
    builder = frame.builder.child(name, block.name if block else name)
    index = LoopIndex(n.named("i", i))
    if block:
        outer = frame.child(frame.builder)
        outer.index, outer.x, outer.fresh = index, start, False
        inner = blocks.open_block(
            outer, block, builder, step.args.without("in"), step.common.span, carried=True
        )
    else:
        inner = frame.child(builder)
        inner.index = index
        inner.flow(builder.receive(start, "x", carried=True))
    _apply_vary(frame, inner, step, index, varied)
    body = block.body if block else step.body or ()
    frame.lowering.body(inner, body)
    if step.vary is not None:
        _check_used(inner, step.vary)
    if index.read:
        builder.bindings = {"i": n.num(i), **builder.bindings}
    return builder, blocks.close_block(inner, block) if block else frame.lowering.result(inner), index


def _block(frame: Frame, step: Repeat) -> BlockDef | None:
    if step.block is None:
        return None
    found = frame.lowering.spec.blocks.get(str(step.block.value))
    if found is None:
        hint = did_you_mean(str(step.block.value), frame.lowering.spec.blocks)
        raise LoweringError(
            Diagnostic("L001", f"there is no block '{step.block.value}'", step.block.span, hint)
        )
    return found


def _apply_vary(frame: Frame, inner: Frame, step: Repeat, index: LoopIndex, varied: dict[str, Node]) -> None:
    scope = frame.child(frame.builder)
    scope.index = index
    for path, node in varied.items():
        written, number = settle(scope, path, node)
        inner.vary[path] = written
        if number is not None:
            word = str(written.value) if isinstance(written, Scalar) else path
            inner.values[word] = n.named(word, number)
            inner.builder.bindings[word] = number


def _check_used(inner: Frame, vary: Mapping) -> None:
    for key, _ in vary.entries:
        if key.value not in inner.used:
            names = [*inner.steps, *(f"{s}.…" for s in inner.steps)]
            raise LoweringError(
                Diagnostic(
                    "L033",
                    f"'{key.value}' names no step or argument of the repeated body",
                    key.span,
                    did_you_mean(str(key.value), names) or f"steps: {', '.join(inner.steps)}",
                )
            )


def _unrolled(frame: Frame, step: Repeat, name: str, count: int, x: Handle) -> tuple[Handle, ...]:
    for i in range(count):
        varied = _varied(frame, step, i, count)
        builder, outputs, _ = _layer(frame, step, f"{name}.{i}", i, varied, x)
        x = frame.lowering.close(frame, builder, outputs, f"{name}_{i}")[0]
    return (x,)


def each(frame: Frame, step: Each) -> tuple[Handle, ...]:
    """The body once per item of the lists, which run side by side; `i`, `first` and `last` are bound."""
    lists = {str(key.value): _items(frame, str(key.value), value) for key, value in step.over.entries}
    lengths = {len(items) for items in lists.values()}
    if len(lengths) != 1:
        shown = ", ".join(f"{name} has {len(items)}" for name, items in lists.items())
        raise Problem("L034", f"the lists of 'each' differ in length: {shown}")
    x, name, count = _start(frame, step.args), step.common.names[0], lengths.pop()
    for i in range(count):
        builder = frame.builder.child(f"{name}.{i}", name)
        inner = frame.child(builder)
        inner.values |= {key: items[i] for key, items in lists.items()}
        inner.values |= {"first": i == 0, "last": i == count - 1}
        inner.index = LoopIndex(n.num(i))
        inner.flow(builder.receive(x, "x"))
        frame.lowering.body(inner, step.body)
        x = frame.lowering.close(frame, builder, frame.lowering.result(inner), f"{name}_{i}")[0]
    return (x,)


def _items(frame: Frame, name: str, node: Node) -> tuple[Value, ...]:
    value = value_of(frame, node)
    if not isinstance(value, tuple):
        raise LoweringError(Diagnostic("S003", f"'each' runs over lists; '{name}' is not one", node.span))
    return value
