"""The layers of a loop as a `nn.ModuleList`: a comprehension where one class serves all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from archspec.backends.torch.construct import construct
from archspec.backends.torch.layout import element, statement
from archspec.backends.torch.pattern import one_of
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.dims.num import Value as Setting
from archspec.ir.graph import Repeat

if TYPE_CHECKING:
    from archspec.backends.torch.module import Module


def repeat_lines(parent: Module, node: Repeat) -> list[str]:
    """`self.h = nn.ModuleList(…)`."""
    modules = parent.layers(node)
    schedule = node.schedule[:1] if node.shared else node.schedule
    if len({module.name or module.leaf for module in modules}) == 1:
        made = _comprehension(parent, node, modules[0], schedule)
        return statement(f"self.{node.name} = ", f"nn.ModuleList({made})", 8)
    chosen = _chosen(parent, node, modules, schedule)
    if chosen is not None:
        return statement(f"self.{node.name} = ", f"nn.ModuleList({chosen})", 8)
    runs: list[str] = []
    for variant, group in groupby(schedule):
        length = len(list(group))
        made = construct(parent, modules[variant], node.variants[variant])
        runs.append(f"*({made} for _ in range({length}))" if length > 1 else made)
    return module_list(node.name, runs)


def module_list(name: str, made: Sequence[str]) -> list[str]:
    """A list of modules, one a line."""
    inner = [line for text in made for line in element(text, 16)]
    return [f"        self.{name} = nn.ModuleList(", "            [", *inner, "            ]", "        )"]


def _chosen(parent: Module, node: Repeat, modules: Sequence[Module], schedule: tuple[int, ...]) -> str | None:
    """`A(…) if i == 0 else B(…) for i in range(n)`: several classes, where a test of the index tells which.

    None where the layers follow no simple rule.
    """
    outer, given = parent.static_names, parent.arguments
    parent.static_names, parent.arguments = outer | {"i"}, {}
    texts = [construct(parent, modules[v], node.variants[v], _over_index(node, v)) for v in schedule]
    count = parent.number(node.count)
    found = one_of(texts, _last(count, schedule))
    used = dict.fromkeys(word for word in parent.arguments if word != "i")
    parent.static_names, parent.arguments = outer, given | used if found else given
    return found and f"{found} for i in range({count})"


def _over_index(node: Repeat, variant: int) -> dict[str, Setting]:
    """A layer's numbers, written over the index where they follow from it."""
    bindings = dict(node.variants[variant].bindings)
    index = bindings.get("i")
    return bindings | {"i": n.named("i", index)} if isinstance(index, Num) else bindings


def _comprehension(parent: Module, node: Repeat, module: Module, schedule: tuple[int, ...]) -> str:
    """One class: what differs between its layers comes from the index or from a list."""
    differing = _differing(parent, node, module, schedule)
    count = parent.number(node.count)
    tested = {} if module.leaf is not None else _tested(differing, _last(count, schedule))
    loop_words = {"i", *differing}
    bindings = {
        name: n.named(name, value) if name in loop_words else value
        for name, value in node.variants[0].bindings
        if isinstance(value, Num)
    }
    outer, given = parent.static_names, parent.arguments
    parent.static_names, parent.arguments = outer | loop_words, {}
    made = construct(parent, module, node.variants[0], bindings, tested)
    indexed = "i" in parent.arguments or bool(tested)
    given |= {word: None for word in parent.arguments if word not in loop_words}
    parent.static_names, parent.arguments = outer, given
    if node.shared:
        return f"[{made}]"
    return f"{made} {_loop({} if tested else differing, 'i' if indexed else '_', count)}"


def _last(count: str, schedule: Sequence[int]) -> str:
    """The index of the last layer."""
    return f"{count} - 1" if count.isidentifier() else str(len(schedule) - 1)


def _tested(differing: Mapping[str, Sequence[str]], last: str) -> dict[str, str]:
    """Numbers that some layers lack, as tests of the index; none where they follow no simple rule."""
    found = {word: one_of(texts, last) for word, texts in differing.items() if "None" in texts}
    tests = {word: text for word, text in found.items() if text is not None}
    return tests if len(tests) == len(differing) else {}


def _differing(
    parent: Module, node: Repeat, module: Module, schedule: tuple[int, ...]
) -> dict[str, list[str]]:
    """Numbers of which layers have different writings, with each layer's."""
    scopes = [dict(node.variants[variant].bindings) for variant in schedule]
    out: dict[str, list[str]] = {}
    for word in module.arguments:
        values = [scope[word] for scope in scopes if word in scope]
        texts = [parent.number(x) if isinstance(x, Num) else "None" for x in values if _is_number(x)]
        if word != "i" and len(set(texts)) > 1:
            out[word] = texts
    return out


def _is_number(value: Setting) -> bool:
    return value is None or isinstance(value, Num)


def _loop(differing: dict[str, list[str]], index: str, count: str) -> str:
    """`for i in range(n)`, or over the values of each layer."""
    if not differing:
        return f"for {index} in range({count})"
    rows = list(zip(*differing.values(), strict=True))
    items = cycled([row[0] if len(row) == 1 else f"({', '.join(row)})" for row in rows])
    words = ", ".join(differing)
    if index == "_":
        return f"for {words} in {items}"
    return f"for {index}, {f'({words})' if len(differing) > 1 else words} in enumerate({items})"


def cycled(items: Sequence[str]) -> str:
    """A list, or `[a, b] * 3` where it is that."""
    for period in range(1, len(items) // 2 + 1):
        times, rest = divmod(len(items), period)
        if rest == 0 and list(items[:period]) * times == list(items):
            return f"[{', '.join(items[:period])}] * {times}"
    return f"[{', '.join(items)}]"
