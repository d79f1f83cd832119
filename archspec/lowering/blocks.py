"""A block as a step: a closed region with its own names, told what its signature asks for."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from archspec.components.base import Problem
from archspec.components.elsewhere import field_hint, field_meant
from archspec.dims import num as n
from archspec.dims.evaluate import describe
from archspec.dims.expr import Literal
from archspec.dims.num import Num, Value
from archspec.errors import Diagnostic, LoweringError, Span, did_you_mean
from archspec.ir.builder import Builder, Handle
from archspec.lowering.faults import FAULTS, Broken, diagnose, located
from archspec.lowering.frame import Frame, Maybe
from archspec.lowering.signature import match, new_sizes, rebased
from archspec.lowering.values import read_start, read_tensor, value_of
from archspec.spec.names import short
from archspec.spec.node import Mapping, Node, Scalar
from archspec.spec.spec import BlockDef

_GIVEN: dict[type, str] = {Num: "float", bool: "bool", str: "str"}


def open_block(
    outer: Frame, block: BlockDef, builder: Builder, args: Mapping, span: Span, *, carried: bool = False
) -> Frame:
    """The scope inside a block, its inputs received and its arguments bound.

    What cannot be read is reported and stands for nothing inside, so that the body can still be judged:
    `close_block` then raises `Broken`.
    """
    inner = outer.child(builder)
    inner.values = {} if block.closed else dict(outer.lowering.settings.values)
    inner.closed = block.closed
    inner.tensors, inner.x, inner.fresh, inner.index = {}, None, True, None
    inner.stacks, inner.failed = {}, frozenset()
    inner.left_out, inner.starts = frozenset(), {}
    inner.outside = frozenset(outer.tensors)
    opening = _Opening(outer, inner, block, args, span, _outside(outer) if carried else outer)
    opening.check_keys()
    for name, declared in _declared(block).items():
        with opening.reporting():
            opening.argument(name, declared)
        if name in inner.failed:  # nor does a param of that name stand for it
            inner.values.pop(name, None)
    for position, (name, declared) in enumerate(_ports(block).items()):
        with opening.reporting():
            opening.port(name, declared, position, carried=carried and position == 0)
    inner.whole = opening.whole
    inner.x, inner.fresh = next(iter(inner.tensors.values()), None), not inner.tensors
    return inner


def _outside(outer: Frame) -> Frame:
    """The scope around a loop: what its layers are given are the same tensors, whatever their index."""
    scope = outer.child(outer.builder)
    scope.index = None
    return scope


def _ports(block: BlockDef) -> dict[str, Node | None]:
    """Input names and their declarations; a block that declares none takes one value, `x`."""
    if block.inputs is None:
        return {"x": None}
    return {str(key.value): value for key, value in block.inputs.entries}


def _declared(block: BlockDef) -> dict[str, Node]:
    return {str(key.value): value for key, value in block.args.entries} if block.args else {}


@dataclass(slots=True)
class _Opening:
    """One use of a block, while its arguments are read; `around` is where its tensors are."""

    outer: Frame
    inner: Frame
    block: BlockDef
    args: Mapping
    span: Span
    around: Frame
    whole: bool = True
    meant: set[str | None] = field(default_factory=set[str | None])

    @contextmanager
    def reporting(self) -> Generator[None]:
        """Findings are kept, and the rest is read all the same."""
        try:
            yield
        except LoweringError as error:
            self.outer.lowering.report(error)
            self.whole = False
        except FAULTS as fault:
            self.outer.lowering.report(LoweringError(diagnose(fault, self.span)))
            self.whole = False
        except Broken:
            self.whole = False

    def check_keys(self) -> None:
        ports = list(_ports(self.block))
        known = (*(["in"] if ports else []), *_declared(self.block), *ports[1:])
        for key in (key for key, _ in self.args.entries if key.value not in known):
            message = f"unknown argument '{short(str(key.value))}' of block '{self.block.name}'"
            self.outer.lowering.found.add("S001", message, key.span, field_hint(str(key.value), known))
            self.meant.add(field_meant(str(key.value), known))
            self.whole = False

    def missing(self, name: str, hint: str) -> None:
        """Raises `LoweringError`, or `Broken` where a misspelt name was reported for this one."""
        if name in self.meant:
            raise Broken
        message = f"block '{self.block.name}' needs '{name}'"
        raise LoweringError(Diagnostic("S002", message, self.span, hint))

    def argument(self, name: str, declared: Node) -> None:
        self.inner.failed |= {name}
        kind, default = kind_and_default(declared)
        given = self.args.get(name)
        node = given or default
        if node is None:
            self.missing(name, f"add '{name}: …', declared as {kind}")
            return
        scope = self.outer if given else self.inner
        if kind == "init":
            self.start(name, scope, node)
            return
        with located(node):
            value = value_of(scope, node) if kind != "str" else _text(scope, node)
            _check_kind(name, kind, value)
        self.inner.failed -= {name}
        self.inner.values[name] = n.named(name, value) if isinstance(value, Num) else value
        if isinstance(value, Num):
            self.inner.builder.bindings[name] = value

    def start(self, name: str, scope: Frame, node: Node) -> None:
        """How weights start. Its numbers are named here, so that they follow what they are computed from."""
        init = read_start(scope, node)
        self.inner.failed -= {name}
        if init is None:
            self.inner.values[name] = None
            return
        numbers = {"a": init.a, "b": init.b}
        for letter, number in numbers.items():
            if number is not None and not isinstance(number.expr, Literal):
                word = self.free(f"{name}_{letter}")
                self.inner.builder.bindings[word] = number
                self.inner.values[word] = numbers[letter] = n.named(word, number)
        self.inner.starts[name] = replace(init, **numbers)

    def free(self, word: str) -> str:
        """The word, made longer until no argument has that name."""
        while word in self.inner.values or word in _declared(self.block):
            word += "_"
        return word

    def port(self, name: str, declared: Node | None, position: int, *, carried: bool) -> None:
        node = self.args.get("in") if position == 0 else self.args.get(name)
        if position and _is_optional(declared) and (node is None or _is_null(self.outer, node)):
            self.inner.left_out |= {name}
            return
        self.inner.tensors[name] = None
        type_ = declared.get("type") if isinstance(declared, Mapping) else declared
        try:
            given = self.given(name, node, position)
            if given is None:
                raise Broken
            self.inner.tensors[name] = self.receive(name, type_, given, node, carried=carried)
        except (LoweringError, Broken):
            self.inner.failed |= new_sizes(self.inner, type_)
            raise

    def given(self, name: str, node: Node | None, position: int) -> Maybe:
        if node is None:
            if position:
                self.missing(name, f"name a tensor: '{name}: …'")
            return self.outer.flowing()
        with located(node):
            return read_tensor(self.around, node)

    def receive(
        self, name: str, declared: Node | None, given: Handle, node: Node | None, *, carried: bool
    ) -> Handle:
        inner = self.inner
        if isinstance(declared, Scalar):
            bound: dict[str, Num] = {}
            try:
                type_ = match(inner, declared, given.type, name, bound)
            except Problem as fault:
                raise LoweringError(diagnose(fault, node.span if node else self.span)) from None
            inner.builder.bindings |= bound
        else:
            type_ = rebased(given.type, inner.values, inner.dims)
        return inner.builder.receive(given, name, type_, carried=carried)


def _check_kind(name: str, kind: str, value: Value) -> None:
    given = "list" if isinstance(value, tuple) else _GIVEN.get(type(value), "null")
    fits = given in ("null", kind) or (given == "float" and kind == "int")
    if kind == "int" and isinstance(value, Num) and isinstance(value.value, float):
        fits = value.value.is_integer()
    if not fits:
        message = f"'{name}' is declared {kind}, but gets {describe(value)}"
        raise Problem("S003", message, hint=f"declare it otherwise, or give it {_WANTED[kind]}")


_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a word",
    "list": "a list",
    "init": "how weights start, such as normal(0.02)",
}


def _text(scope: Frame, node: Node) -> Value:
    """A word, or what a param or argument of that name holds."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        if node.value in scope.failed or node.value in scope.lowering.settings.failed:
            raise Broken
        return scope.values.get(node.value, node.value)
    return value_of(scope, node)


def kind_and_default(declared: Node) -> tuple[str, Node | None]:
    """The kind and the default of an argument; `Broken` where the outline refused it."""
    word = declared.get("type") if isinstance(declared, Mapping) else declared
    kind = word.value if isinstance(word, Scalar) else None
    if not isinstance(kind, str) or kind not in _WANTED:
        raise Broken
    return kind, declared.get("default") if isinstance(declared, Mapping) else None


def _is_null(frame: Frame, node: Node) -> bool:
    return isinstance(node, Scalar) and (node.value is None or frame.is_null(node.value))


def _is_optional(declared: Node | None) -> bool:
    flag = declared.get("optional") if isinstance(declared, Mapping) else None
    return isinstance(flag, Scalar) and flag.value is True


def close_block(inner: Frame, block: BlockDef) -> tuple[Handle, ...]:
    """What the block gives: the values it names, or the last one.

    Raises `LoweringError` L002, `Broken`.
    """
    inner.lowering.check_stacks(inner)
    for name in block.returns:
        if name.value not in inner.tensors:
            message = f"block '{block.name}' returns '{name.value}', which no step makes"
            hint = did_you_mean(str(name.value), inner.tensors)
            listed = f"made here: {', '.join(inner.tensors)}"
            raise LoweringError(Diagnostic("L002", message, name.span, hint or listed))
    results = [inner.tensors[str(name.value)] for name in block.returns] if block.returns else [inner.x]
    handles = tuple(handle for handle in results if handle is not None)
    if len(handles) != len(results) or not inner.whole:
        raise Broken
    return handles
