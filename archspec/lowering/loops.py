"""`repeat` and `each`: one region with a count where layers are alike, else a region per layer."""

from __future__ import annotations

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.dims.evaluate import describe
from archspec.dims.num import Num, Value
from archspec.errors import Diagnostic, LoweringError, did_you_mean
from archspec.ir.builder import Builder, Handle
from archspec.lowering import blocks
from archspec.lowering.alike import told
from archspec.lowering.faults import Broken, located
from archspec.lowering.frame import Frame, LoopIndex, Maybe
from archspec.lowering.values import flag_of, number_of, read_tensor, value_of
from archspec.lowering.vary import chosen, layer_value, settle, spelt_out
from archspec.spec.node import Mapping, Node, Scalar, plain
from archspec.spec.spec import BlockDef
from archspec.spec.stacks import moved_by, stacks_of
from archspec.spec.tree import Each, Repeat

MAX_LAYERS = 10_000
Layer = tuple[Builder, tuple[Handle, ...], LoopIndex]


def repeat(frame: Frame, step: Repeat) -> tuple[Handle, ...]:
    """Layers of one body or block, each fed by the one before."""
    name, span = step.common.names[0], step.common.span
    start = frame.attempt(span, lambda: start_of(frame, step.args))
    shared = frame.attempt(span, lambda: _shared(frame, step))
    count = layer_count(frame, step)
    if start is None or count is None or shared is None:
        judge(frame, step, count, start)
        raise Broken
    if int(count) == 0:
        return (start,)
    if step.body is not None and moved_by(step.body):
        if shared:
            message = "layers that push or pop are built one by one, so they cannot be shared"
            raise Problem("L011", message, hint="take 'shared' out")
        return _unrolled(frame, step, name, int(count), start)
    layers, schedule = variants(frame, step, name, int(count), start)
    if shared and len(layers) > 1:
        message = "shared layers are one layer, but 'vary' or the index makes them differ"
        raise Problem("L011", message, hint="take 'shared' out, or what differs")
    if any(len(out) != 1 or not _alike(out[0], start) for _, out, _ in layers):
        if shared:
            out = layers[0][1][0]
            message = f"shared layers must keep their type, but {start.type} becomes {out.type}"
            raise Problem("L011", message, hint="take 'shared' out, or keep the shape")
        return _unrolled(frame, step, name, int(count), start)
    return frame.builder.repeat(
        name, [b for b, _, _ in layers], [out for _, out, _ in layers], schedule, count, shared=shared
    )


def judge(frame: Frame, step: Repeat, count: Num | None, start: Maybe) -> None:
    """The first layer of what cannot be built, for its findings alone."""
    frame.lowering.unsure |= stacks_of(step)
    span, name = step.common.span, step.common.names[0]
    varied = frame.attempt(span, lambda: _varied(frame, step, 0, int(count))) if count else None
    _layer(frame, step, name, 0, varied or {}, start)


def _shared(frame: Frame, step: Repeat) -> bool:
    if step.shared is None:
        return False
    with located(step.shared, "shared"):
        return flag_of(frame, step.shared)


def layer_count(frame: Frame, step: Repeat) -> Num | None:
    """How many layers; None where that is not known, the reason reported."""

    def read() -> Num:
        with located(step.count, "repeat"):
            return _counted(number_of(frame, step.count))

    return frame.attempt(step.count.span, read)


def _counted(count: Num) -> Num:
    if not count.static:
        hint = "the number of layers must follow from params"
        raise Problem("S003", f"{count} is known only when the model runs", hint=hint)
    if isinstance(count.value, float) and not count.value.is_integer():
        hint = "'//' divides without a remainder"
        raise Problem("S003", f"expected a whole number, found {count.described()}", hint=hint)
    if not 0 <= count.real <= MAX_LAYERS:
        message = f"{count.described()} layers are asked for"
        raise Problem("L032", message, hint=f"between 0 and {MAX_LAYERS:,} are built")
    return n.whole(count)


def start_of(frame: Frame, args: Mapping) -> Maybe:
    """The value the first layer takes, None where it failed."""
    node = args.get("in")
    if node is None:
        return frame.flowing()
    with located(node):
        return read_tensor(frame, node)


def _alike(out: Handle, start: Handle) -> bool:
    a, b = out.type, start.type
    return (
        a.dtype == b.dtype
        and a.rank == b.rank
        and all(n.same(x, y) for x, y in zip(a.shape, b.shape, strict=True))
    )


def variants(
    frame: Frame, step: Repeat, name: str, count: int, start: Handle
) -> tuple[list[Layer], tuple[int, ...]]:
    """The distinct layers, and which of them each layer is."""
    layers: list[Layer] = []
    found: dict[object, int] = {}
    schedule: list[int] = []
    for i in range(count):
        varied = _varied(frame, step, i, count)
        written = tuple(repr(plain(node)) for node in varied.values())
        key = (written, told(frame, step, i) if layers and layers[0][2].read else None)
        if key not in found:
            layer = _layer(frame, step, name, i, varied, start)
            if layer[2].read and not layers:
                key = (written, told(frame, step, i))
            found[key] = len(layers)
            layers.append(layer)
        schedule.append(found[key])
    return layers, tuple(schedule)


def _varied(frame: Frame, step: Repeat, i: int, count: int) -> dict[str, Node]:
    """What `vary` says for one layer, by path."""
    if step.vary is None:
        return {}
    scope = frame.child(frame.builder)
    scope.index = LoopIndex(n.named("i", i))
    entries = ((str(key.value), spelt_out(frame, value)) for key, value in step.vary.entries)
    return {path: chosen(scope, layer_value(value, i, count, path)) for path, value in entries}


def _layer(frame: Frame, step: Repeat, name: str, i: int, varied: dict[str, Node], start: Maybe) -> Layer:
    """One layer, lowered in a region of its own."""
    block = _block(frame, step)
    if block is None or step.block is None:
        return _lowered(frame, step, name, i, varied, start, None)
    with frame.lowering.inside(block, step.block.span):
        return _lowered(frame, step, name, i, varied, start, block)


def _lowered(
    frame: Frame,
    step: Repeat,
    name: str,
    i: int,
    varied: dict[str, Node],
    start: Maybe,
    block: BlockDef | None,
) -> Layer:
    builder = frame.builder.child(name, block.name if block else name.split(".")[0])
    index = LoopIndex(n.named("i", i))
    if block:
        place = step.block.span if step.block else step.common.span
        outer = frame.child(frame.builder)
        outer.index, outer.x, outer.fresh = index, start, False
        inner = blocks.open_block(outer, block, builder, step.args.without("in"), place, carried=True)
    else:
        inner = frame.child(builder)
        inner.index = index
        inner.flow(builder.receive(start, "x", carried=True) if start else None)
    _apply_vary(frame, inner, step, index, varied)
    body = block.body if block else step.body or ()
    frame.lowering.body(inner, body)
    if step.vary is not None and varied:
        _check_used(inner, step.vary)
    if index.read:
        builder.bindings = {"i": n.num(i), **builder.bindings}
    return builder, blocks.close_block(inner, block) if block else frame.lowering.result(inner), index


def _block(frame: Frame, step: Repeat) -> BlockDef | None:
    if step.block is None:
        return None
    found = frame.lowering.spec.blocks.get(str(step.block.value))
    if found is None and frame.lowering.spec.section("blocks").key(str(step.block.value)):
        raise Broken
    if found is None:
        known = frame.lowering.spec.blocks
        hint = did_you_mean(str(step.block.value), known) or f"blocks here: {', '.join(known) or 'none'}"
        raise LoweringError(
            Diagnostic("L001", f"there is no block '{step.block.value}'", step.block.span, hint)
        )
    return found


def _apply_vary(frame: Frame, inner: Frame, step: Repeat, index: LoopIndex, varied: dict[str, Node]) -> None:
    scope = frame.child(frame.builder)
    scope.index = index
    places = {str(key.value): key.span for key, _ in step.vary.entries} if step.vary else {}
    for path, node in varied.items():
        written, number = settle(scope, path, node)
        inner.vary[path] = (places[path], written)
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
                    f"'{key.value}' names no step of the repeated body, and no argument of one",
                    key.span,
                    did_you_mean(str(key.value), names) or f"steps: {', '.join(inner.steps)}",
                )
            )


def _unrolled(frame: Frame, step: Repeat, name: str, count: int, x: Handle) -> tuple[Handle, ...]:
    for i in range(count):
        varied = _varied(frame, step, i, count)
        builder, outputs, _ = _layer(frame, step, f"{name}.{i}", i, varied, x)
        x = frame.lowering.close(frame, builder, outputs, "x")[0]
    return (x,)


def each(frame: Frame, step: Each) -> tuple[Handle, ...]:
    """The body once per item of the lists, which run side by side; `i`, `first` and `last` are bound."""
    span = step.common.span
    x = frame.attempt(span, lambda: start_of(frame, step.args))
    lists = frame.attempt(step.over.span, lambda: _lists(frame, step.over))
    if lists is None:
        frame.lowering.unsure |= stacks_of(step)
        _turn(frame, step, 0, frozenset(step.over.keys()), {"first": True, "last": True}, None)
        raise Broken
    count = min(len(items) for items in lists.values())
    for i in range(count):
        values = {name: items[i] for name, items in lists.items()}
        x = _turn(frame, step, i, frozenset(), values | {"first": i == 0, "last": i == count - 1}, x)
    if x is None:
        raise Broken
    return (x,)


def _turn(
    frame: Frame, step: Each, i: int, failed: frozenset[str], values: dict[str, Value], x: Maybe
) -> Maybe:
    """One turn of a body; None where it failed."""
    name = step.common.names[0]
    builder = frame.builder.child(f"{name}.{i}", name)
    inner = frame.child(builder)
    for key, value in values.items():
        _bind(inner, key, value)
    inner.failed |= failed
    inner.index = LoopIndex(n.named("i", i))
    inner.flow(builder.receive(x, "x") if x else None)
    frame.lowering.body(inner, step.body)
    if inner.index.read:
        builder.bindings = {"i": n.num(i), **builder.bindings}
    if inner.x is None:
        return None
    return frame.lowering.close(frame, builder, (inner.x,), "x")[0]


def _lists(frame: Frame, over: Mapping) -> dict[str, tuple[Value, ...]]:
    """Raises `LoweringError`, `Broken`."""
    read = {
        str(key.value): frame.attempt(value.span, lambda node=value: _items(frame, node))
        for key, value in over.entries
    }
    lists = {name: items for name, items in read.items() if items is not None}
    if len(lists) != len(read):
        raise Broken
    if len({len(items) for items in lists.values()}) != 1:
        shown = ", ".join(f"{name} has {len(items)}" for name, items in lists.items())
        message = f"the lists of 'each' differ in length: {shown}"
        raise Problem("L034", message, hint="they run side by side")
    return lists


def _bind(inner: Frame, name: str, value: Value) -> None:
    """A name for this turn of a loop; numbers go by it, so that alike turns read alike."""
    inner.values[name] = n.named(name, value) if isinstance(value, Num) else value
    if isinstance(value, Num):
        inner.builder.bindings[name] = value


def _items(frame: Frame, node: Node) -> tuple[Value, ...]:
    with located(node):
        value = value_of(frame, node)
        if not isinstance(value, tuple):
            hint = "write a list, or the name of one"
            raise Problem("S003", f"'each' runs over lists, not over {describe(value)}", hint=hint)
        return value
