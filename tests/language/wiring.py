"""Random bodies of steps, as YAML and as what they compute: the rules of scopes, said a second time.

A step is a pair of its YAML and a function on a `State`; values are [B, 4] throughout.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor

Weights: TypeAlias = dict[str, Tensor]
Yaml: TypeAlias = Any


@dataclass
class State:
    """What a body has while it runs: the value that flows, names, stacks, and where its parameters are."""

    w: Weights
    x: Tensor
    path: str = ""
    names: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    stack: list[Tensor] = field(default_factory=list[Tensor])

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.w[f"{self.path}{name}.weight"], self.w[f"{self.path}{name}.bias"])

    def inside(self, name: str, x: Tensor) -> "State":
        """The scope of a module: sees all names, adds to none."""
        return replace(self, path=f"{self.path}{name}.", x=x, names=dict(self.names))


Run: TypeAlias = Callable[[State], None]
Step: TypeAlias = tuple[Yaml, Run]


@dataclass
class Names:
    """Names given so far in one body and those around it, all different; `modules` can be called again here.

    `shared`: in layers with one set of parameters, which must not push.
    """

    taken: list[str]
    seen: list[str]
    modules: list[str] = field(default_factory=list[str])
    shared: bool = False

    def fresh(self) -> str:
        name = f"s{len(self.taken)}"
        self.taken.append(name)
        return name

    def below(self, *, shared: bool = False) -> "Names":
        return Names(self.taken, list(self.seen), shared=self.shared or shared)


def run(body: list[Step], state: State) -> Tensor:
    for _, step in body:
        step(state)
    return state.x


def yaml(body: list[Step]) -> list[Yaml]:
    return [written for written, _ in body]


def through(body: list[Step], state: State) -> Tensor:
    """A body in the same scope, after which the value that flows is what it was."""
    before = state.x
    out, state.x = run(body, state), before
    return out


@st.composite
def bodies(draw: st.DrawFn, names: Names, depth: int) -> list[Step]:
    count = draw(st.integers(1, 3 if depth else 2))
    return [draw(steps(names, depth)) for _ in range(count)]


@st.composite
def steps(draw: st.DrawFn, names: Names, depth: int) -> Step:
    scopes = [scope for scope in SCOPES if scope is not _stacked or not names.shared]
    kinds = [*LEAVES, *(scopes if depth else ())]
    return draw(draw(st.sampled_from(kinds))(names, depth))


@st.composite
def _linear(draw: st.DrawFn, names: Names, depth: int) -> Step:
    name = names.fresh()
    source = draw(st.sampled_from([None, *names.seen]))
    names.seen.append(name)
    names.modules.append(name)

    def step(state: State) -> None:
        state.x = state.names[name] = state.linear(name, state.names[source] if source else state.x)

    return {name: {"op": "linear", "out": 4} | ({"in": source} if source else {})}, step


@st.composite
def _call(draw: st.DrawFn, names: Names, depth: int) -> Step:
    if not names.modules:
        return draw(_linear(names, depth))
    name, target = names.fresh(), draw(st.sampled_from(names.modules))
    source = draw(st.sampled_from(["_", *names.seen]))
    names.seen.append(name)

    def step(state: State) -> None:
        state.x = state.names[name] = state.linear(target, state.x if source == "_" else state.names[source])

    return {name: {"call": target, "in": source}}, step


def _word(names: Names, depth: int) -> st.SearchStrategy[Step]:
    def step(state: State) -> None:
        state.x = state.x.tanh()

    return st.just(("tanh", step))


@st.composite
def _expression(draw: st.DrawFn, names: Names, depth: int) -> Step:
    name = names.fresh()
    a, b, c = (draw(st.sampled_from(["_", *names.seen])) for _ in "abc")
    form = draw(st.sampled_from(FORMS))
    names.seen.append(name)

    def step(state: State) -> None:
        values = (state.x if key == "_" else state.names[key] for key in (a, b, c))
        state.x = state.names[name] = form[1](*values)

    return {name: form[0].format(a=a, b=b, c=c)}, step


FORMS: list[tuple[str, Callable[[Tensor, Tensor, Tensor], Tensor]]] = [
    ("{a} * ({b} - {c}) / 2", lambda a, b, c: a * (b - c) / 2),
    ("({a} + {b}) * ({c} + 1) - {a}", lambda a, b, c: (a + b) * (c + 1) - a),
    ("sigmoid({a}) - -{b} ** 2 / (1 + {c} * {c})", lambda a, b, c: a.sigmoid() + b**2 / (1 + c * c)),
    ("where({a} < {b}, {c}, 2 - {c})", lambda a, b, c: (2 - c).where(a >= b, c)),
    ("{a}", lambda a, b, c: a),
    ("concat([{a}[:, 2:], {b}[:, :2] * {c}[:, 1:3]])", lambda a, b, c: F.pad(a[:, 2:], (0, 2)) + F.pad(b[:, :2] * c[:, 1:3], (2, 0))),
]


@st.composite
def _residual(draw: st.DrawFn, names: Names, depth: int) -> Step:
    shortcut = draw(bodies(names, depth - 1)) if draw(st.booleans()) else []
    body = draw(bodies(names, depth - 1))
    scale = draw(st.sampled_from([None, 0.5]))

    def step(state: State) -> None:
        skip = through(shortcut, state)
        state.x = skip + through(body, state) * (scale or 1)

    written = {"body": yaml(body)} | ({"shortcut": yaml(shortcut)} if shortcut else {})
    return {"residual": written | ({"scale": scale} if scale else {})}, step


@st.composite
def _parallel(draw: st.DrawFn, names: Names, depth: int) -> Step:
    branches = [draw(bodies(names, depth - 1)) for _ in range(draw(st.integers(2, 3)))]
    join = draw(st.sampled_from(["add", "mul"]))

    def step(state: State) -> None:
        first, *others = [through(branch, state) for branch in branches]
        for other in others:
            first = first + other if join == "add" else first * other
        state.x = first

    return {"parallel": {"join": join, "branches": [yaml(branch) for branch in branches]}}, step


@st.composite
def _branch(draw: st.DrawFn, names: Names, depth: int) -> Step:
    name = names.fresh()
    body = draw(bodies(names, depth - 1))
    names.seen.append(name)

    def step(state: State) -> None:
        state.names[name] = through(body, state)

    return {name: {"branch": yaml(body)}}, step


@st.composite
def _group(draw: st.DrawFn, names: Names, depth: int) -> Step:
    name = names.fresh()
    body = draw(bodies(names.below(), depth - 1))
    names.seen.append(name)

    def step(state: State) -> None:
        state.x = state.names[name] = run(body, state.inside(name, state.x))

    return {name: yaml(body)}, step


@st.composite
def _repeat(draw: st.DrawFn, names: Names, depth: int) -> Step:
    name, count = names.fresh(), draw(st.integers(1, 3))
    shared, by = draw(st.booleans()), draw(st.sampled_from([None, "1 / (i + 1)"]))
    body = draw(bodies(names.below(shared=shared), depth - 1))
    names.seen.append(name)

    def step(state: State) -> None:
        for i in range(count):
            state.x = run(body, state.inside(f"{name}.{0 if shared else i}", state.x))
            state.x = state.x / (i + 1) if by and not shared else state.x
        state.names[name] = state.x

    last = [{"scale": {"by": by}}] if by and not shared else []
    return {name: {"repeat": count, "shared": shared, "body": [*yaml(body), *last]}}, step


@st.composite
def _stacked(draw: st.DrawFn, names: Names, depth: int) -> Step:
    """A group that pushes, and one that pops what it pushed."""
    name = names.fresh()
    left, right = draw(bodies(names.below(), depth - 1)), draw(bodies(names.below(), depth - 1))
    names.seen.append(name)

    def step(state: State) -> None:
        inner = state.inside(name, state.x)
        first = inner.inside("down", inner.x)
        kept = first.x
        inner.x = run(left, first)
        inner.x = run(right, inner.inside("up", inner.x)) + kept
        state.x = state.names[name] = inner.x

    down = {"down": [{"push": name}, *yaml(left)]}
    up = {"up": [*yaml(right), {"add": {"to": {"pop": name}}}]}
    return {name: [down, up]}, step


LEAVES = (_linear, _linear, _call, _word, _expression, _expression)
SCOPES = (_residual, _parallel, _branch, _group, _repeat, _stacked)


@st.composite
def models(draw: st.DrawFn) -> tuple[Yaml, Run]:
    """A whole document over x and m, [B, 4], and what it computes from them."""
    names = Names([], ["x", "m"])
    body = draw(bodies(names, 3))
    document = {
        "archspec": 1,
        "name": "wired",
        "inputs": {"x": "[B, 4]", "m": "[B, 4]"},
        "model": [{"start": "x"}, *yaml(body)],
        "outputs": {"y": "_ + 0 * m + 0 * x"},
    }
    return document, lambda state: state.names.update(y=run(body, state))
