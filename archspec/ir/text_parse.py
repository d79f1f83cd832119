"""Reads the textual form of a graph. Wrong input is a located `VerifyError`, never anything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from archspec.dims.num import Value as Setting
from archspec.errors import Source
from archspec.ir.along import Along
from archspec.ir.graph import Apply, Call, Graph, Init, Loss, Node, Param, Region, Repeat, State, Value
from archspec.ir.scope import Scope
from archspec.ir.text_scan import Line, Scanner, Statements, outline
from archspec.ir.text_values import number, operation, setting, tensor_type

MAX_LAYERS = 100_000
Results: TypeAlias = tuple[Value, ...]


def read(text: str, name: str = "<ir>") -> Graph:
    """The graph that a text describes; it may still break rules that `verify` knows.

    Raises `VerifyError`: I001 malformed statement, I002 indentation, I003 expression, I004 unknown operation,
    I005 attributes, I006 undefined value or region, I007 too long or too deep, I008 statement missing or out
    of place, I009 unknown dtype, I010 schedule.
    """
    source = Source(name, text)
    given = Statements(Line(source, 1, 1, ""), outline(source))
    title, summary, origin = (
        given.one("graph", _name),
        given.one("summary", _text),
        given.one("source", _text),
    )
    dims = given.maybe("dims", lambda scan: scan.many(scan.atom, "")) or ()
    stream = given.maybe("stream", _name)
    scope = Scope.of(dims, stream)
    root = given.one("root", lambda scan: _body(scan, scope), below=True)
    defaults = given.maybe("defaults", lambda scan: _body(scan, root.scope).region, below=True)
    outputs = given.each(("output",), root.output)
    losses = tuple(_losses(given, root.scope))
    ties = given.each(("tie",), _tie)
    given.expect_end()
    return Graph(title, summary, origin, dims, stream, root.region, defaults, outputs, losses, ties)


def _name(scan: Scanner) -> str:
    return scan.atom()


def _text(scan: Scanner) -> str:
    return scan.string()


def _losses(given: Statements, scope: Scope) -> Iterator[Loss]:
    """Each loss, with the feed that may stand behind it."""
    while loss := given.maybe("loss", lambda scan: (scan.atom(), _body(scan, scope).region), below=True):
        feed = given.maybe("feed", lambda scan: _body(scan, scope).region, below=True)
        yield Loss(*loss, feed)


def _tie(scan: Scanner) -> tuple[str, str]:
    alias = scan.atom()
    scan.expect("=")
    return alias, scan.atom()


def _body(scan: Scanner, outer: Scope) -> _Body:
    return _Body(*_title(scan), Statements(scan.line, scan.line.below), outer)


def _title(scan: Scanner) -> tuple[str, str]:
    return scan.atom("a component"), scan.atom()


class _Reference(Struct, frozen=True):
    """A name as it is used: `%x`, `%x?`."""

    name: str
    optional: bool


class _Body:
    """The statements of a region, and what stands in scope at its end."""

    def __init__(self, component: str, name: str, given: Statements, outer: Scope) -> None:
        self.scope = outer.inside()
        self.known: dict[str, Value] = {}
        self.bodies: dict[tuple[str, str], Region] = {}
        bindings = given.each(("let",), self.binding)
        inputs = given.each(("input",), self.declared)
        params = given.each(("param", "buffer"), self.param)
        states = given.each(("state",), self.state)
        nodes = tuple(self.node(scan) for scan in given.others(("%", "()")))
        outputs = given.one("return", lambda scan: scan.many(lambda: self.value(scan), ""))
        given.expect_end()
        self.region = Region(name, component, inputs, outputs, nodes, params, states, bindings)

    def binding(self, scan: Scanner) -> tuple[str, Setting]:
        name = scan.atom()
        scan.expect("=")
        self.scope.bindings[name] = found = setting(scan, self.scope, "")
        return name, found

    def output(self, scan: Scanner) -> tuple[str, Value]:
        name = scan.atom()
        scan.expect("=")
        return name, self.value(scan)

    def reference(self, scan: Scanner) -> _Reference:
        scan.expect("%")
        return _Reference(scan.atom(), scan.accept("?"))

    def define(self, scan: Scanner, reference: _Reference) -> Value:
        value = Value(reference.name, tensor_type(scan, self.scope), reference.optional)
        self.known[value.name] = value
        return value

    def declared(self, scan: Scanner) -> Value:
        reference = self.reference(scan)
        scan.expect(":")
        return self.define(scan, reference)

    def param(self, scan: Scanner) -> Param:
        value = self.declared(scan)
        scan.expect("=")
        kind = scan.atom("an initialisation")
        scan.expect("(")
        start, values = scan.at, scan.many(lambda: number(scan, self.scope, ",)"), ")")
        if len(values) not in (1, 2):
            scan.line.fail("I005", "an initialisation takes one or two numbers", start)
        return Param(value, Init(kind, *values), scan.line.text.startswith("param"))

    def state(self, scan: Scanner) -> State:
        name, kind = scan.atom(), scan.atom("a kind of state")
        scan.expect("(")
        types = scan.many(lambda: tensor_type(scan, self.scope), ")")
        scan.expect("axis")
        return State(name, kind, types, scan.integer())

    def value(self, scan: Scanner) -> Value:
        """`%x`, defined before, or `%x: type`."""
        scan.skip()
        start, reference = scan.at, self.reference(scan)
        if scan.accept(":"):
            return Value(reference.name, tensor_type(scan, self.scope), reference.optional)
        if reference.name not in self.known or reference.optional:
            scan.line.fail("I006", f"'%{reference.name}' is not defined above", start, scan.at - start)
        return self.known[reference.name]

    def operand(self, scan: Scanner) -> Value | None:
        return None if scan.keyword("_") else self.value(scan)

    def node(self, scan: Scanner) -> Node:
        names = scan.many(lambda: self.reference(scan), "=") if not scan.accept("()") else ()
        if not names:
            scan.expect("=")
        scan.skip()
        start, word = scan.at, scan.atom("an operation")
        if scan.accept("("):
            return self.apply(scan, names, word, start)
        if word not in ("call", "recur", "repeat", "experts"):
            problem = f"expected 'call', 'recur', 'repeat', 'experts' or an operation, not '{word}'"
            scan.line.fail("I001", problem, start, len(word))
        if word in ("call", "recur"):
            return self.call(scan, names, _along(scan) if word == "recur" else None)
        rows = scan.atom("the name of a size") if word == "experts" else None
        return self.repeat(scan, names, rows is None and scan.keyword("shared"), rows)

    def results(self, scan: Scanner, names: tuple[_Reference, ...]) -> Results:
        """The types after the colon, one for each name."""
        found: list[Value] = []
        for name in names:
            scan.expect("," if found else ":")
            found.append(self.define(scan, name))
        scan.expect_end()
        return tuple(found)

    def apply(self, scan: Scanner, names: tuple[_Reference, ...], word: str, start: int) -> Apply:
        inputs = scan.many(lambda: self.operand(scan), ")")
        op = operation(scan, word, start, self.scope)
        Statements(scan.line, scan.line.below).expect_end()
        return Apply(op, inputs, self.results(scan, names))

    def call(self, scan: Scanner, names: tuple[_Reference, ...], along: Along | None) -> Call:
        shared, title = scan.keyword("shared"), _title(scan)
        inputs = self.inputs(scan)
        outputs = self.results(scan, names)
        return Call(self.called(scan, title), inputs, outputs, shared, along=along)

    def inputs(self, scan: Scanner) -> Results:
        scan.expect("(")
        return scan.many(lambda: self.value(scan), ")")

    def called(self, scan: Scanner, title: tuple[str, str]) -> Region:
        """The region below the call, or the one that stood below an earlier call of that name."""
        if scan.line.below:
            self.bodies[title] = _Body(*title, Statements(scan.line, scan.line.below), self.scope).region
        elif title not in self.bodies:
            scan.line.fail("I006", f"no '{' '.join(title)}' stands below this or an earlier call")
        return self.bodies[title]

    def repeat(self, scan: Scanner, names: tuple[_Reference, ...], shared: bool, rows: str | None) -> Repeat:
        name = scan.atom()
        inputs = self.inputs(scan)
        scan.expect("times")
        count = number(scan, self.scope, ":")
        outputs = self.results(scan, names)
        below = Statements(scan.line, scan.line.below)
        schedule = below.one("schedule", _schedule)
        scope = self.scope.seeing(rows)
        variants = below.each(("variant",), lambda line: _body(line, scope).region, below=True)
        below.expect_end()
        return Repeat(name, variants, schedule, count, inputs, outputs, shared, rows=rows)


def _along(scan: Scanner) -> Along:
    """`axis 1 carry 2 cut 1`."""
    numbers: list[int] = []
    for word in ("axis", "carry", "cut"):
        scan.expect(word)
        numbers.append(scan.integer())
    return Along(*numbers)


def _schedule(scan: Scanner) -> tuple[int, ...]:
    """`0*5 1` as five layers of variant 0 and one of variant 1."""
    layers: list[int] = []
    while not scan.ended():
        start, variant = scan.at, scan.integer()
        times = scan.integer() if scan.accept("*") else 1
        if not 0 < times <= MAX_LAYERS - len(layers):
            problem = f"a schedule has at most {MAX_LAYERS} layers, and runs of at least one"
            scan.line.fail("I010", problem, start, scan.at - start)
        layers += [variant] * times
    return tuple(layers)
