"""`init_weights`: every parameter starts as the spec says, by the end of its name."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.backends.torch.init import initialiser
from archspec.backends.torch.layout import fits
from archspec.backends.torch.module import Module
from archspec.backends.torch.python import python
from archspec.dims import num as n
from archspec.dims.expr import Literal
from archspec.dims.num import Num
from archspec.ir.graph import Call, Graph, Init, Region, Repeat


def init_method(graph: Graph, module: Module) -> list[str]:
    """The method's lines, after a blank one. Groups are told apart by the shortest endings that do."""
    groups = _groups(graph, module)
    doc = "Start as the reference does."
    if any(init.kind == "fan_in" for _, init in _inits(graph.root, "")):
        doc = "Start as the reference does; layers not named here keep torch's own start."
    lines = ["", "    @torch.no_grad()", "    def init_weights(self) -> None:", f'        """{doc}"""']
    module.parts.require("import torch")
    if not groups:
        return [*lines[:-1], '        """Layers keep torch\'s own start."""']
    lines.append("        for name, p in self.named_parameters():")
    by_torch = [path for path, init in _inits(graph.root, "") if init.kind == "fan_in"]
    ordered = sorted(groups.items(), key=lambda item: (len(item[1]), item[0]))
    for position, (statement, names) in enumerate(ordered):
        later = [*(x for _, others in ordered[position + 1 :] for x in others), *by_torch]
        last = position == len(ordered) - 1 and not by_torch
        lines += _branch(statement, _endings(names, later), first=position == 0, last=last)
    return lines


def _branch(statement: str, endings: list[str], *, first: bool, last: bool) -> list[str]:
    body = statement.format("p")
    if first and last:
        return [f"            {body}"]
    if last:
        return ["            else:", f"                {body}"]
    shown = ", ".join(f'"{e}"' for e in endings)
    test = f"name.endswith({shown if len(endings) == 1 else f'({shown})'})"
    word = "if" if first else "elif"
    if fits(f"{word} {test}:", 12):
        return [f"            {word} {test}:", f"                {body}"]
    return [f"            {word} name.endswith(", "                (", *(f'                    "{e}",' for e in endings), "                )", "            ):", f"                {body}"]


def _groups(graph: Graph, module: Module) -> dict[str, list[str]]:
    """Statements, and the parameter names (loops as `*`) they are for; tied aliases follow their owner."""
    tied = {alias for alias, _ in graph.ties}
    out: dict[str, list[str]] = {}
    known = {name for name, v in graph.root.bindings if isinstance(v, Num)}
    for path, init in _inits(graph.root, ""):
        if path not in tied and init.kind != "fan_in":
            out.setdefault(initialiser(init, lambda x: _number(x, known, module)), []).append(path)
    return out


def _number(number: Num, known: set[str], module: Module) -> str:
    """A number over the model's own settings."""
    if not n.reads(number) <= known:
        return python(Literal(number.value), str, module.parts.require).text  # type: ignore[arg-type]  # static
    return python(number.expr, module.attribute, module.parts.require).text


def _inits(region: Region, path: str) -> Iterator[tuple[str, Init]]:
    for param in region.params:
        if param.trainable:
            yield path + param.name, param.init
    for node in region.nodes:
        if isinstance(node, Call) and not node.shared:
            yield from _inits(node.region, f"{path}{node.region.name}.")
        elif isinstance(node, Repeat):
            for variant in dict.fromkeys(node.variants):
                yield from _inits(variant, f"{path}{node.name}.*.")


def _endings(names: list[str], others: list[str]) -> list[str]:
    """The fewest and shortest endings that fit all of `names` and none of `others`."""
    out: list[str] = []
    for name in names:
        if not any(name.endswith(e) for e in out):
            out = [*[e for e in out if not e.endswith(_shortest(name, others))], _shortest(name, others)]
    return sorted(dict.fromkeys(out))


def _shortest(name: str, others: list[str]) -> str:
    parts = name.split("*.")[-1].split(".")
    for count in range(1, len(parts) + 1):
        ending = ".".join(parts[-count:])
        if count == 1 and len(parts) > 1 and parts[-1] == "weight":
            continue
        if not any(other.endswith(ending) for other in others):
            return ending
    return ".".join(parts)
