"""The package as source text: its modules and what each of them imports, read without importing anything."""

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "archspec"


@dataclass(frozen=True)
class Import:
    """One imported module, as a dotted name, and where the import stands."""

    target: str
    line: int
    in_function: bool
    for_types_only: bool


@dataclass(frozen=True)
class Module:
    """One source file of the package; `name` is dotted, a package's is its folder's."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @cached_property
    def room(self) -> str:
        """The floor plan's word for it: `spec` of archspec.spec.node, `__init__` of archspec itself."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else "__init__"

    @cached_property
    def imports(self) -> list[Import]:
        return list(_imports(self.tree, in_function=False, for_types_only=False))

    def at(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT)}:{line}"


def modules() -> list[Module]:
    """Every Python module of the package."""
    return [Module(_dotted(path), path) for path in sorted(PACKAGE.rglob("*.py"))]


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(node: ast.AST, *, in_function: bool, for_types_only: bool) -> list[Import]:
    found: list[Import] = []
    for child in ast.iter_child_nodes(node):
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        types = for_types_only or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
        if isinstance(child, ast.Import | ast.ImportFrom):
            found += [Import(name, child.lineno, inside, types) for name in _targets(child)]
        found += _imports(child, in_function=inside, for_types_only=types)
    return found


def _targets(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    return [_submodule(base, alias.name) or base for alias in node.names]


def _submodule(base: str, name: str) -> str | None:
    """`archspec.errors` for `from archspec import errors`, None where the name is not a module."""
    place = ROOT.joinpath(*base.split("."), name)
    ours = place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()
    return f"{base}.{name}" if ours else None
