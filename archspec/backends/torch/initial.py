"""`init_weights`: every parameter starts as the spec says, told by its name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from archspec.backends.torch.forward import statement
from archspec.backends.torch.init import initialiser
from archspec.backends.torch.layout import fits
from archspec.backends.torch.module import Module
from archspec.backends.torch.python import python
from archspec.dims import num as n
from archspec.dims.expr import Literal
from archspec.dims.num import Num
from archspec.ir.graph import Call, Graph, Init, Region, Repeat

OWN = ""  # the statement for what starts as torch's own layers do
Starts = list[tuple[str, str]]


def init_method(graph: Graph, module: Module) -> list[str]:
    """The method's lines, after a blank one."""
    starts = list(_starts(module.region, module, _Writer(graph, module)))
    groups = _groups(graph, starts)
    own = groups.pop(OWN, [])
    doc = "Start as the reference does; layers not named here keep torch's own start." if own else "Start as the reference does."
    lines = ["", "    @torch.no_grad()", "    def init_weights(self) -> None:"]
    module.parts.require("import torch")
    if not groups:
        return [*lines, '        """Layers keep torch\'s own start."""']
    return [*lines, f'        """{doc}"""', *_loop(groups, own)]


def _loop(groups: dict[str, list[str]], own: list[str]) -> list[str]:
    """One branch per kind of start; groups are told apart by the shortest endings that do."""
    ordered = sorted(groups.items(), key=lambda item: (len(item[1]), item[0]))
    if len(ordered) == 1 and not own:
        return ["        for p in self.parameters():", f"            {ordered[0][0].format('p')}"]
    lines: list[str] = []
    for position, (fill, names) in enumerate(ordered):
        later = [*(x for _, others in ordered[position + 1 :] for x in others), *own]
        test = _test("if" if position == 0 else "elif", names, later) if later else ["            else:"]
        lines += [*test, f"                {fill.format('p')}"]
    pattern = ['            path = ".".join("*" if part.isdigit() else part for part in name.split("."))']
    head = ["        for name, p in self.named_parameters():", *(pattern if any(" path " in line for line in lines) else [])]
    return [*head, *lines]


def _test(word: str, names: list[str], others: list[str]) -> list[str]:
    """A branch for `names`, which none of `others` takes."""
    endings = _endings(names, others)
    if endings is not None:
        shown = ", ".join(f'"{e}"' for e in endings)
        return statement(f"{word} ", f"name.endswith({shown if len(endings) == 1 else f'({shown})'})", 12, tail=":")
    alike = {_pattern(name) for name in names}
    if alike.isdisjoint(map(_pattern, others)):
        return _listed(word, {"path": sorted(alike)})
    apart = sorted(name for name in names if "*" not in name)
    return _listed(word, {"name": apart, "path": sorted(set(names) - set(apart))})


def _listed(word: str, subjects: dict[str, list[str]]) -> list[str]:
    """A branch for exactly these names."""
    tests: list[str] = []
    for subject, names in subjects.items():
        shown = [f'"{name}"' for name in names]
        tests += [f"{subject} == {shown[0]}" if len(shown) == 1 else f"{subject} in ({', '.join(shown)})"] if shown else []
    line = f"{word} {' or '.join(tests)}:"
    if fits(line, 12):
        return [f"            {line}"]
    head, opened, items = line[:-2].rpartition("(")
    return [f"            {head}{opened}", *(f"                {item}," for item in items.split(", ")), "            ):"]


def _pattern(name: str) -> str:
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def _groups(graph: Graph, starts: Starts) -> dict[str, list[str]]:
    """Statements, and the parameter names (loops as `*`) they are for; tied aliases follow their owner."""
    tied = {alias for alias, _ in graph.ties}
    out: dict[str, list[str]] = {}
    for path, fill in starts:
        if path not in tied:
            out.setdefault(fill, []).append(path)
    return out


class _Writer:
    """Starts as statements, over the model's own settings."""

    def __init__(self, graph: Graph, module: Module) -> None:
        self.known = {name for name, v in graph.root.bindings if isinstance(v, Num)}
        self.module = module

    def fill(self, init: Init, *, own: bool) -> str:
        """`own`: the parameter belongs to a layer of torch, which starts so by itself."""
        if init.kind != "fan_in":
            return initialiser(init, self.number)
        bound = init.a**-0.5
        return OWN if own else initialiser(Init("uniform", -bound, bound), self.number)

    def number(self, number: Num) -> str:
        if not n.reads(number) <= self.known:
            return python(Literal(number.value), str, self.module.parts.require).text  # type: ignore[arg-type]  # static
        return python(number.expr, self.module.attribute, self.module.parts.require).text


def _starts(region: Region, module: Module, writer: _Writer) -> Iterator[tuple[str, str]]:
    """Every learned parameter by its path, and the statement that fills it."""
    for param in region.params:
        if param.trainable:
            yield param.name, writer.fill(param.init, own=module.leaf is not None)
    for node in region.nodes:
        if isinstance(node, Call) and not node.shared:
            yield from _below(node.region.name, node.region, module, writer)
        elif isinstance(node, Repeat):
            yield from _layers(node, module, writer)


def _below(name: str, region: Region, module: Module, writer: _Writer) -> Starts:
    return [(f"{name}.{path}", fill) for path, fill in _starts(region, module.child(region), writer)]


def _layers(node: Repeat, module: Module, writer: _Writer) -> Starts:
    """Layers that start alike are one, `h.*`; others go by their numbers."""
    kinds = [_below(f"{node.name}.*", variant, module, writer) for variant in node.variants]
    joined = list(dict.fromkeys(start for kind in kinds for start in kind))
    if len({path for path, _ in joined}) == len(joined):
        return joined
    every = range(1 if node.shared else len(node.schedule))
    return [start for i in every for start in _below(f"{node.name}.{i}", node.variants[node.schedule[i]], module, writer)]


def _endings(names: list[str], others: list[str]) -> list[str] | None:
    """The fewest and shortest endings that fit all of `names` and none of `others`, if there are such."""
    digits = sorted({"0", *(part for name in (*names, *others) for part in name.split(".") if part.isdigit())})
    wrong = tuple({path for other in others for path in _paths(other, digits)})
    out: list[str] = []
    for name in names:
        if any(name.endswith(e) for e in out):
            continue
        found = next((e for e in _suffixes(name) if not any(path.endswith(e) for path in wrong)), None)
        if found is None:
            return None
        out = [*(e for e in out if not e.endswith(found)), found]
    return sorted(out)


def _paths(name: str, digits: list[str]) -> Iterator[str]:
    """The name with numbers for its loops."""
    parts = [digits if part == "*" else [part] for part in name.split(".")]
    return (".".join(path) for path in product(*parts))


def _suffixes(name: str) -> Iterator[str]:
    """Endings of a name behind its last loop, short ones first; `weight` alone says too little."""
    parts = name.split("*.")[-1].split(".")
    for count in range(1, len(parts) + 1):
        ending = ".".join(parts[-count:])
        if ending != "weight" or len(parts) == 1:
            yield ending
    if name != ending:
        yield f".{ending}"
