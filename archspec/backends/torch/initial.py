"""`init_weights`: every parameter starts as the spec says, told apart by the end of its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from archspec.backends.torch.init import initialiser
from archspec.backends.torch.layout import condition
from archspec.dims import num as n
from archspec.dims.num import Num, outward
from archspec.dims.num import Value as Setting
from archspec.ir.graph import Call, Graph, Init, Repeat

if TYPE_CHECKING:
    from archspec.backends.torch.module import Module

BY_TORCH = ""
"""In place of a statement: what torch's own modules do when they are made."""

Scopes: TypeAlias = tuple[Mapping[str, Setting], ...]


def init_method(graph: Graph, module: Module) -> list[str]:
    """The method's lines, after a blank one."""
    tied = {alias for alias, _ in graph.ties}
    groups: dict[str, list[str]] = {}
    for path, statement in _Starts(module).below(module, "", ()):
        if path not in tied:
            groups.setdefault(statement, []).append(path)
    by_torch = groups.pop(BY_TORCH, [])
    rest = "; layers not named here keep torch's own start" if by_torch else ""
    doc = f"Start as the reference does{rest}." if groups else "Layers keep torch's own start."
    lines = ["", "    @torch.no_grad()", "    def init_weights(self) -> None:", f'        """{doc}"""']
    return [*lines, *_loop(groups, by_torch)] if groups else ["", *lines[2:]]


def _loop(groups: dict[str, list[str]], by_torch: Sequence[str]) -> list[str]:
    """Each parameter through the first test that its name passes."""
    ordered = sorted(groups.items(), key=lambda item: len(item[1]))
    if len(ordered) == 1 and not by_torch:
        return ["        for p in self.parameters():", f"            {ordered[0][0].format('p')}"]
    lines: list[str] = []
    for position, (statement, names) in enumerate(ordered):
        later = [*(name for _, others in ordered[position + 1 :] for name in others), *by_torch]
        test = _test("elif" if lines else "if", names, later) if later else ["            else:"]
        lines += [*test, f"                {statement.format('p')}"]
    head = ["        for name, p in self.named_parameters():"]
    if any(re.search(r"\bpath\b", line) for line in lines):
        head.append(
            '            path = ".".join("*" if part.isdigit() else part for part in name.split("."))'
        )
    return [*head, *lines]


def _test(word: str, names: Sequence[str], others: Sequence[str]) -> list[str]:
    """A test that `names` pass and `others` do not: by endings, else by paths without indices, or by name."""
    endings = [_shortest(name, others) for name in names]
    if None not in endings:
        shown = _quoted(_least([ending for ending in endings if ending]))
        return condition(word, f"name.endswith({shown})", 12)
    known = {_path(name) for name in others}
    tests = {
        "name": [name for name in names if _path(name) in known],
        "path": list(dict.fromkeys(_path(name) for name in names if _path(name) not in known)),
    }
    found = (f"{subject} {_equals(given)}" for subject, given in tests.items() if given)
    return condition(word, " or ".join(found), 12)


def _equals(names: Sequence[str]) -> str:
    return f"== {_quoted(names)}" if len(names) == 1 else f"in {_quoted(names)}"


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names)
    return shown if len(names) == 1 else f"({shown})"


def _path(name: str) -> str:
    """The name with `*` for its indices."""
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def _least(endings: Sequence[str]) -> list[str]:
    """The endings that no other one covers."""
    return sorted(
        e for e in dict.fromkeys(endings) if not any(e != other and e.endswith(other) for other in endings)
    )


def _shortest(name: str, others: Sequence[str]) -> str | None:
    """The shortest ending that none of the others has; None where there is none."""
    parts = name.split("*.")[-1].split(".")
    for count in range(1, len(parts) + 1):
        vague = count == 1 < len(parts) and parts[-1] == "weight"
        if not vague and not any(_ends(other, parts[-count:]) for other in others):
            return ".".join(parts[-count:])
    return None


def _ends(name: str, ending: Sequence[str]) -> bool:
    """Whether a name, in which `*` is any index, may end like that."""
    last = name.split(".")[-len(ending) :]
    if len(last) < len(ending):
        return False
    (first, wanted), *rest = zip(last, ending, strict=True)
    same = all(a == b or (a == "*" and b.isdigit()) for a, b in rest)
    return same and (first.endswith(wanted) or (first == "*" and wanted.isdigit()))


class _Starts:
    """Walks the modules of a model; numbers are written over the model's own settings."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.known = {name for name, value in model.region.bindings if isinstance(value, Num)}

    def below(self, module: Module, path: str, scopes: Scopes) -> Iterator[tuple[str, str]]:
        """Learned parameters in order, `*` for the index in a loop, each with the statement that fills it."""
        for param in module.region.params:
            if param.trainable:
                yield path + param.name, self._statement(param.init, scopes, by_torch=module.leaf is not None)
        for node in module.region.nodes:
            if isinstance(node, Call) and not node.shared:
                inner = (dict(node.region.bindings), *scopes)
                yield from self.below(module.child(node), f"{path}{node.region.name}.", inner)
            elif isinstance(node, Repeat):
                yield from self._layers(module, node, path, scopes)

    def _layers(self, module: Module, node: Repeat, path: str, scopes: Scopes) -> Iterator[tuple[str, str]]:
        """Once for all layers where they start alike, else layer by layer."""
        loop = f"{path}{node.name}."
        variants = [
            dict(self.below(inner, f"{loop}*.", (dict(region.bindings), *scopes)))
            for region, inner in zip(node.variants, module.layers(node), strict=True)
        ]
        for name in dict.fromkeys(name for starts in variants for name in starts):
            if len({starts[name] for starts in variants if name in starts}) == 1:
                yield name, next(starts[name] for starts in variants if name in starts)
                continue
            for layer, starts in enumerate(variants[variant] for variant in node.schedule):
                if name in starts:
                    yield f"{loop}{layer}.{name.removeprefix(f'{loop}*.')}", starts[name]

    def _statement(self, init: Init, scopes: Scopes, *, by_torch: bool) -> str:
        if init.kind == "sinusoids":
            self.model.parts.require("runtime:positions.sinusoids")
        if init.kind != "fan_in":
            return initialiser(init, lambda number: self._number(number, scopes))
        bound = init.a**-0.5
        uniform = Init("uniform", -bound, bound)
        return BY_TORCH if by_torch else initialiser(uniform, lambda number: self._number(number, scopes))

    def _number(self, number: Num, scopes: Scopes) -> str:
        """A number of a module deep inside, over the model's own settings."""
        for bindings in scopes:
            number = outward(number, bindings)
        if not n.reads(number) <= self.known:
            number = n.num(number.value)
        return self.model.kept(number)
