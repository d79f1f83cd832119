"""Steps as a tree: what each one-key entry of a body means, before anyone knows which words exist."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from archspec.errors import Span
from archspec.spec.node import Mapping, Node, Scalar

SCOPES = ("residual", "parallel", "repeat", "experts", "each", "recur", "branch", "push", "call")


class Common(Struct, frozen=True):
    """What every step has: its names (none if it was not given one), conditions, and where it stands."""

    names: tuple[str, ...]
    span: Span
    when: Scalar | None = None


class Word(Struct, frozen=True):
    """A component or block by name, with arguments. `text`: the value was a bare word or an expression."""

    common: Common
    word: Scalar
    args: Mapping
    text: bool = False


class Residual(Struct, frozen=True):
    """out = shortcut(x) + body(x)."""

    common: Common
    body: Body
    shortcut: Body | None
    scale: Node | None


class Parallel(Struct, frozen=True):
    """Every branch runs on the same value; the results are joined: `add`, `mul`, `concat` (last axis)."""

    common: Common
    branches: tuple[Body, ...]
    join: Scalar | None


class Group(Struct, frozen=True):
    """A named list of steps: a module."""

    common: Common
    body: Body
    args: Mapping


class Repeat(Struct, frozen=True):
    """Layers of one body or block; `vary` says what differs between them."""

    common: Common
    count: Node
    body: Body | None
    block: Scalar | None
    args: Mapping
    vary: Mapping | None
    shared: Node | None


class Experts(Struct, frozen=True):
    """Layers side by side, summed by `weights`; none runs for what it has no weight on.

    `layers.shared` is never set.
    """

    common: Common
    layers: Repeat
    weights: Node

    @property
    def body(self) -> Body | None:
        return self.layers.body

    @property
    def args(self) -> Mapping:
        return self.layers.args


class Each(Struct, frozen=True):
    """A body once per item of lists that run side by side."""

    common: Common
    over: Mapping
    body: Body
    args: Mapping


class Recur(Struct, frozen=True):
    """A body once at each position of an axis, each run going on from what the one before left.

    `carried`: names, and what they start as; a step of such a name makes what the next run is given. `over`:
    what a run sees an element of, by names in the body, beside what flows in.
    """

    common: Common
    carried: tuple[tuple[Scalar, Node], ...]
    over: tuple[tuple[Scalar, Node], ...]
    axis: Node | None
    body: Body
    args: Mapping


class Branch(Struct, frozen=True):
    """Steps on the side: the result gets the step's name, the value that flows on does not change."""

    common: Common
    body: Body
    args: Mapping


class Push(Struct, frozen=True):
    """A value put on a named stack, for `{pop: name}` to take off."""

    common: Common
    stack: Scalar
    value: Node | None


class CallAgain(Struct, frozen=True):
    """A module of this body run once more, with the same parameters."""

    common: Common
    target: Scalar
    args: Mapping


class Unread(Struct, frozen=True):
    """A step that could not be read: it was reported, and what depends on it makes no noise."""

    common: Common


Step: TypeAlias = (
    Word | Residual | Parallel | Group | Repeat | Experts | Each | Recur | Branch | Push | CallAgain | Unread
)
Body: TypeAlias = tuple[Step, ...]
