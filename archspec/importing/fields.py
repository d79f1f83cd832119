"""What a spec says of config.json: the `config` and `import` parts of one of its weight maps, as equations.

config:
  n_embd: hidden_size                       # this field is this param
  hidden_act: '"relu" if plain else "gelu"'
  factor: {to: factor, when: scaled}        # there only under a condition
import:                                     # what files may say besides
  defaults: {n_inner: 4*hidden_size}        # the meaning of a field that is left out
  ignore: [summary_type]                    # cannot change what this model computes
  accept: {n_ctx: n_positions}              # another spelling of a field; where both are there, they agree
  instead: {scale_outputs: tied}            # read in place of another field, whatever that says
  free: [intermediate_size]                 # a param with an expression, which a file may set all the same
  same: {rank: [null, auto]}                # each value after the first is read as the first
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from archspec.dims.expr import Conditional, Expr, Listing, Literal, Name, names
from archspec.dims.parse import parse
from archspec.errors import Collector
from archspec.lowering.settings import Settings
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Node, Scalar, Sequence
from archspec.spec.spec import Spec


class Field(Struct, frozen=True):
    """One field by its path, `rope_parameters.factor`, and the conditions under which it is there."""

    path: str
    expr: Expr
    whens: tuple[Expr, ...] = ()


class Fields(Struct, frozen=True):
    """All that one weight map says.

    `spec` is set to the graph that the map speaks of, `graph`, where it speaks of a part.
    `kind` is the reference class; `listed`: `architectures` names it. `complete`: the map has an `import`, so
    what a file leaves out means what `defaults` say, or else the spec's own params. `folder`: its place in
    a system. What is both in `config` and in `ignore` is only written. `derived`: params that are always what
    their expressions say, with the expressions; a file cannot set them alone.
    """

    spec: Spec
    section: str
    params: frozenset[str]
    config: Mapping[str, Field]
    defaults: Mapping[str, Field]
    ignore: frozenset[str]
    accept: Mapping[str, str]
    instead: Mapping[str, str]
    derived: Mapping[str, Expr]
    same: Mapping[str, tuple[Expr, ...]]
    kind: Expr | None
    listed: bool
    complete: bool
    graph: str | None
    folder: str | None

    @property
    def read(self) -> tuple[Field, ...]:
        """The fields of `config` that are read, and not only written."""
        return tuple(field for path, field in self.config.items() if path not in self.ignore)

    @property
    def known(self) -> frozenset[str]:
        """Every path that is understood."""
        return frozenset((*self.config, *self.defaults, *self.ignore, *self.accept, *self.instead))

    def gives(self, path: str, value: str) -> bool:
        """Whether a field can be this word."""
        field = self.config.get(path)
        return field is not None and value in words(field.expr)


def fields_of(spec: Spec) -> Iterator[Fields]:
    """What each weight map with a `config` says.

    Raises ExprSyntaxError where a value is no expression; `check` finds that.
    """
    params = frozenset(spec.section("params").keys())
    for key, section in spec.section("weights").entries:
        if isinstance(section, Table) and isinstance(section.get("config"), Table):
            yield _fields(spec, str(key.value), section, params)


def _fields(spec: Spec, name: str, section: Table, params: frozenset[str]) -> Fields:
    more, kind, library = section.get("import"), section.get("class"), section.get("library")
    rest = more if isinstance(more, Table) else Table((), section.span)
    part, place = section.get("graph"), section.get("folder")
    graph = str(part.value) if isinstance(part, Scalar) else None
    return Fields(
        spec=spec if graph is None else replace(spec, graph=graph),
        section=name,
        params=params,
        config=_leaves(section.get("config"), params),
        defaults=_leaves(rest.get("defaults"), params),
        ignore=_listed(rest.get("ignore")),
        accept=_paths(rest.get("accept")),
        instead=_paths(rest.get("instead")),
        derived=_derived(spec, params - _listed(rest.get("free"))),
        same=_same(rest.get("same"), params),
        kind=None if kind is None else expression(kind, params),
        listed=not (isinstance(library, Scalar) and library.value == "diffusers"),
        complete=more is not None,
        graph=graph,
        folder=str(place.value) if isinstance(place, Scalar) else None,
    )


def _listed(node: Node | None) -> frozenset[str]:
    items = node.items if isinstance(node, Sequence) else ()
    return frozenset(str(item.value) for item in items if isinstance(item, Scalar))


def _paths(node: Node | None) -> dict[str, str]:
    entries = node.entries if isinstance(node, Table) else ()
    return {str(key.value): str(to.value) for key, to in entries if isinstance(to, Scalar)}


def _derived(spec: Spec, bound: frozenset[str]) -> dict[str, Expr]:
    """The params among `bound` that are computed from others, with their expressions."""
    settings = Settings(spec, Collector())
    names, params = bound & settings.values.keys(), frozenset(settings.nodes)
    found = ((name, expression(settings.nodes[name], params)) for name in sorted(names))
    return {name: expr for name, expr in found if reads(expr)}


def _same(node: Node | None, params: frozenset[str]) -> dict[str, tuple[Expr, ...]]:
    entries = node.entries if isinstance(node, Table) else ()
    return {
        str(key.value): tuple(expression(item, params) for item in values.items)
        for key, values in entries
        if isinstance(values, Sequence)
    }


def _leaves(node: Node | None, params: frozenset[str]) -> dict[str, Field]:
    if not isinstance(node, Table):
        return {}
    return {
        field.path: field for key, value in node.entries for field in _walk(str(key.value), value, (), params)
    }


def _walk(path: str, node: Node, whens: tuple[Expr, ...], params: frozenset[str]) -> Iterator[Field]:
    if not isinstance(node, Table):
        yield Field(path, expression(node, params), whens)
        return
    when, rest = node.get("when"), node.without("when")
    if when is not None:
        whens = (*whens, expression(when, params))
    to = rest.get("to")
    if when is not None and to is not None and len(rest.entries) == 1:
        yield from _walk(path, to, whens, params)
        return
    for key, value in rest.entries:
        yield from _walk(f"{path}.{key.value}", value, whens, params)


def expression(node: Node, params: frozenset[str]) -> Expr:
    """A value of a spec as an expression; a bare word that is no param is itself."""
    if isinstance(node, Sequence):
        return Listing(tuple(expression(item, params) for item in node.items))
    if not isinstance(node, Scalar):
        return Literal(None)
    if not isinstance(node.value, str):
        return Literal(node.value)
    parsed = parse(node.value)
    return Literal(parsed.id) if isinstance(parsed, Name) and parsed.id not in params else parsed


def words(expr: Expr) -> tuple[str, ...]:
    """The words that an expression may turn out to be, as far as they are written in it."""
    if isinstance(expr, Conditional):
        return tuple(dict.fromkeys((*words(expr.then), *words(expr.orelse))))
    return (expr.value,) if isinstance(expr, Literal) and isinstance(expr.value, str) else ()


def reads(*exprs: Expr) -> tuple[str, ...]:
    """The params that expressions read, each once."""
    return tuple(dict.fromkeys(name for expr in exprs for name in names(expr)))
