"""A block as a step: a closed region with its own names, told what its signature asks for."""

from __future__ import annotations

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.dims.evaluate import describe
from archspec.dims.num import Num, Value
from archspec.errors import Diagnostic, LoweringError, Span, did_you_mean
from archspec.ir.builder import Builder, Handle
from archspec.lowering.faults import FAULTS, Broken, diagnose
from archspec.lowering.frame import Frame
from archspec.lowering.reading import read_tensor, value_of
from archspec.lowering.signature import match, rebased
from archspec.spec.node import Mapping, Node, Scalar
from archspec.spec.spec import BlockDef

KINDS = {"int": Num, "float": Num, "bool": bool, "str": str, "list": tuple}


def open_block(
    outer: Frame, block: BlockDef, builder: Builder, args: Mapping, span: Span, *, carried: bool = False
) -> Frame:
    """The scope inside a block, its inputs received and its arguments bound.

    Raises `LoweringError` with every finding of the arguments, `Broken`.
    """
    inner = outer.child(builder)
    inner.values = dict(outer.lowering.settings.values)
    inner.tensors, inner.x, inner.fresh, inner.index = {}, None, True, None
    inner.stacks = {}
    ports = _ports(block)
    _check_keys(block, args, ports, span)
    for name, kind in _declared(block).items():
        _bind_argument(outer, inner, name, kind, args, span)
    for position, (name, declared) in enumerate(ports.items()):
        given = _given(outer, name, position, args, span, declared)
        if given is not None:
            inner.tensors[name] = _receive(
                inner, name, declared, given, args, span, carried=carried and position == 0
            )
    inner.x, inner.fresh = next(iter(inner.tensors.values()), None), not inner.tensors
    return inner


def _ports(block: BlockDef) -> dict[str, Node | None]:
    """Input names and their declarations; a block that declares none takes one value, `x`."""
    if block.inputs is None:
        return {"x": None}
    return {str(key.value): value for key, value in block.inputs.entries}


def _declared(block: BlockDef) -> dict[str, Node]:
    return {str(key.value): value for key, value in block.args.entries} if block.args else {}


def _check_keys(block: BlockDef, args: Mapping, ports: dict[str, Node | None], span: Span) -> None:
    known = ("in", *_declared(block), *list(ports)[1:])
    unknown = [key for key, _ in args.entries if key.value not in known]
    if unknown:
        raise LoweringError(*(
            Diagnostic("S001", f"unknown argument '{k.value}' of block '{block.name}'", k.span, did_you_mean(str(k.value), known) or f"known here: {', '.join(known)}")
            for k in unknown
        ))  # fmt: skip


def _bind_argument(outer: Frame, inner: Frame, name: str, declared: Node, args: Mapping, span: Span) -> None:
    kind, default = _kind(declared)
    node = args.get(name) or default
    if node is None:
        raise LoweringError(Diagnostic("S002", f"the block needs '{name}'", span, f"it is declared '{kind}'"))
    scope = outer if args.get(name) else inner
    try:
        value = value_of(scope, node) if kind != "str" else _text(scope, node)
        if value is not None and not isinstance(value, KINDS[kind]):
            raise Problem("S003", f"'{name}' is declared {kind}, but gets {describe(value)}", name)
    except FAULTS as fault:
        raise LoweringError(diagnose(fault, node.span, args)) from None
    inner.values[name] = n.named(name, value) if isinstance(value, Num) else value
    if isinstance(value, Num):
        inner.builder.bindings[name] = value


def _text(scope: Frame, node: Node) -> Value:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return scope.values.get(node.value, node.value)
    return value_of(scope, node)


def _kind(declared: Node) -> tuple[str, Node | None]:
    if isinstance(declared, Mapping):
        word = declared.get("type")
        kind, default = (str(word.value) if isinstance(word, Scalar) else "int"), declared.get("default")
    else:
        kind, default = (str(declared.value) if isinstance(declared, Scalar) else ""), None
    if kind not in KINDS:
        raise LoweringError(
            Diagnostic(
                "S009", f"'{kind}' is no kind of argument", declared.span, f"one of: {', '.join(KINDS)}"
            )
        )
    return kind, default


def _given(
    outer: Frame, name: str, position: int, args: Mapping, span: Span, declared: Node | None
) -> Handle | None:
    node = args.get("in") if position == 0 else args.get(name)
    if node is None:
        if position == 0:
            return outer.running()
        if _is_optional(declared):
            return None
        raise LoweringError(
            Diagnostic("S002", f"the block needs '{name}'", span, f"name a tensor: '{name}: …'")
        )
    try:
        return read_tensor(outer, node)
    except FAULTS as fault:
        raise LoweringError(diagnose(fault, node.span)) from None


def _is_optional(declared: Node | None) -> bool:
    flag = declared.get("optional") if isinstance(declared, Mapping) else None
    return isinstance(flag, Scalar) and flag.value is True


def _receive(
    inner: Frame, name: str, declared: Node | None, given: Handle, args: Mapping, span: Span, *, carried: bool
) -> Handle:
    node = declared.get("type") if isinstance(declared, Mapping) else declared
    bound: dict[str, Num] = {}
    try:
        if isinstance(node, Scalar):
            type_ = match(inner, str(node.value), given.type, name, bound)
        else:
            type_ = rebased(given.type, inner.values, inner.lowering.dims)
    except FAULTS as fault:
        where = args.get(name) or args.get("in")
        raise LoweringError(diagnose(fault, where.span if where else span)) from None
    inner.builder.bindings |= bound
    return inner.builder.receive(given, name, type_, carried=carried)


def close_block(inner: Frame, block: BlockDef) -> tuple[Handle, ...]:
    """What the block gives: the values it names, or the last one."""
    if not block.returns:
        if inner.x is None:
            raise Broken
        return (inner.x,)
    try:
        return tuple(inner.tensor(str(name.value)) for name in block.returns)
    except KeyError:
        missing = next(r for r in block.returns if r.value not in inner.tensors)
        hint = did_you_mean(str(missing.value), inner.tensors)
        raise LoweringError(
            Diagnostic(
                "L002",
                f"block '{block.name}' returns '{missing.value}', which no step makes",
                missing.span,
                hint,
            )
        ) from None
