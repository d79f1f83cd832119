"""What the classes of a file need from outside of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from archspec.backends.torch.mask_rules import rule_words
from archspec.dims.expr import Expr


@dataclass(slots=True)
class Parts:
    """Imports, copied functions and files of kernels, shared by all classes of a file.

    `kernels`: what the attention of each file of kernels is called.
    """

    imports: set[str] = field(default_factory=set[str])
    runtime: dict[str, None] = field(default_factory=dict[str, None])
    kernels: dict[str, str] = field(default_factory=dict[str, str])

    def require(self, line: str) -> None:
        """Ask for an import line, or by `runtime:file.name` for a function of the runtime folder."""
        if line.startswith("runtime:"):
            self.runtime.setdefault(line.removeprefix("runtime:"))
        else:
            self.imports.add(line)

    def kernel(self, module: str, rule: Expr) -> str:
        """What to call the attention of a file of kernels: after its rule's terms, numbered if need be."""
        plain = f"{'_'.join(rule_words(rule)) or 'full'}_attention"
        names = (plain if i == 1 else f"{plain}_{i}" for i in count(1))
        free = next(name for name in names if name not in self.kernels.values())
        return self.kernels.setdefault(module, free)

    @property
    def kernel_imports(self) -> list[str]:
        return [f"from {module} import attention as {name}" for module, name in sorted(self.kernels.items())]
