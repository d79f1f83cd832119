"""What is different between two specs, and how it is written."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, to_builtins

from archspec.views.outline import laid_out

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


class Change(Struct, frozen=True):
    """One named thing: `before` is None where it is new, `after` where it is gone."""

    name: str
    before: str | None
    after: str | None

    @property
    def kind(self) -> str:
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"{self.after or self.before}"
        return f"{self.before} → {self.after}"


class ModuleChange(Struct, frozen=True):
    """A module that is there only once (`added`, `removed`, with all in it) or is another one (`changed`).

    `parameters` are learned numbers before and after; `arguments`, `shapes` and `steps` what is different.
    """

    path: str
    kind: str
    component: str
    parameters: tuple[int, int]
    arguments: tuple[Change, ...] = ()
    shapes: tuple[Change, ...] = ()
    steps: tuple[str, ...] = ()


class Size(Struct, frozen=True):
    """The learned numbers that the modules of a path own, before and after."""

    path: str
    component: str
    before: int
    after: int


class Difference(Struct, frozen=True):
    """Two specs compared by what they mean. As text it is empty where they mean the same.

    `sizes`: modules of both that own another number of parameters. `graph`: lines of the graph, only where
    nothing else tells the two apart.
    """

    names: tuple[str, str]
    parameters: tuple[int, int]
    params: tuple[Change, ...]
    modules: tuple[ModuleChange, ...]
    sizes: tuple[Size, ...]
    inputs: tuple[Change, ...]
    outputs: tuple[Change, ...]
    ties: tuple[Change, ...]
    losses: tuple[Change, ...]
    graph: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any difference."""
        return any((
            self.parameters[0] != self.parameters[1], self.params, self.modules, self.sizes, self.inputs,
            self.outputs, self.ties, self.losses, self.graph,
        ))  # fmt: skip

    def record(self) -> dict[str, object]:
        """The same as plain data."""
        return to_builtins(self)

    def __str__(self) -> str:
        if not self:
            return ""
        count = _grown(*self.parameters)
        sections = [[f"{self.names[0]} → {self.names[1]}", f"parameters  {count}"]]
        sections += _titled("params", self.params)
        sections += [["modules", *(f"  {line}" for line in self._modules())]] if self.modules else []
        sections += [["sizes", *self._sizes()]] if self.sizes else []
        for title in ("inputs", "outputs", "ties", "losses"):
            sections += _titled(title, getattr(self, title))
        sections += [["graph", *(f"  {line}" for line in self.graph)]] if self.graph else []
        return "\n\n".join("\n".join(section) for section in sections) + "\n"

    def _modules(self) -> Iterator[str]:
        for module in self.modules:
            size = sum(module.parameters) if module.kind != "changed" else 0
            words = (f"{_SIGNS[module.kind]} {module.path}", module.component, f"{size:,}" if size else "")
            yield "  ".join(filter(None, words))
            for change in (*module.arguments, *module.shapes):
                yield f"    {change.name}: {change.before or 'nothing'} → {change.after or 'nothing'}"
            yield from (f"    {line}" for line in module.steps)

    def _sizes(self) -> Iterator[str]:
        rows = [(f"  {size.path}", size.component, _grown(size.before, size.after)) for size in self.sizes]
        return laid_out([rows])


def _grown(before: int, after: int) -> str:
    return f"{before:,} → {after:,}  ({after - before:+,})" if before != after else f"{before:,}"


def _titled(title: str, changes: tuple[Change, ...]) -> list[list[str]]:
    rows = [(f"  {_SIGNS[change.kind]}", change.name, str(change)) for change in changes]
    return [[title, *laid_out([rows])]] if rows else []
