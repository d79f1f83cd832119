"""The variables of one forward method: which hold what, and when a name is free again."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from archspec.backends.torch.code import PRODUCT, Code
from archspec.dims import poly
from archspec.dims.num import Num, same
from archspec.ir.graph import Value

RESERVED = frozenset({"self", "cache", "past", "torch", "F", "nn", "math", "Tensor", "i", "layer", "print", "type", "input"})
RESERVED |= {"range", "enumerate", "abs", "min", "max", "round", "int", "float", "len"}
RESERVED |= {"quick_gelu", "rms_norm", "rms_norm_fp32", "rope_table", "apply_rope_half", "apply_rope_interleaved", "masked_bias"}


# What a module of torch has already, and what the model's own class has.
METHODS = frozenset(
    (
        "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double "
        "dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule "
        "half init_weights ipu load_state_dict loss make_cache modules mtia named_buffers named_children "
        "named_modules named_parameters parameters register_backward_hook register_buffer "
        "register_forward_hook register_forward_pre_hook register_full_backward_hook "
        "register_full_backward_pre_hook register_load_state_dict_post_hook "
        "register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook "
        "register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict "
        "to to_empty train training type xpu zero_grad"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Pending:
    """An expression not written yet, the values it reads from variables, and how deep it is nested."""

    code: Code
    reads: tuple[str, ...]
    depth: int


@dataclass(slots=True)
class Variables:
    """`left` counts the reads of each value still to be written; a name whose value has none is free."""

    left: dict[str, int]
    holds: dict[str, Value] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)

    def bind(self, name: str, value: Value) -> None:
        self.holds[name] = value
        self.named[value.name] = name

    def read(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.left[name] = self.left.get(name, 0) - 1

    def choose(self, hint: str) -> str:
        """A name for a new value: the hint without its number, unless that still holds something that is read."""
        base = re.sub(r"_\d+\Z", "", hint) or "x"
        if keyword.iskeyword(base) or base in RESERVED:
            base += "_"
        number, name = 1, base
        while name in self.blocked or (name in self.holds and self.left.get(self.holds[name].name, 0) > 0):
            number += 1
            name = f"{base}_{number}"
        return name

    def size(self, number: Num) -> str | None:
        """`x.shape[1]`: where a variable has an axis of this size."""
        return next((text for text, dim in self._axes() if same(dim, number)), None)

    def solved(self, symbol: str) -> Code | None:
        """`x.shape[2] // 2`: a size from an axis that is a multiple of it, and a number."""
        for text, dim in self._axes():
            factor, rest = _linear(dim.size, symbol)
            if factor:
                moved = f"({text} - {rest})" if rest > 0 else f"({text} + {-rest})" if rest else text
                return Code(f"{moved} // {factor}", PRODUCT) if factor != 1 else Code(moved)
        return None

    def _axes(self) -> Iterator[tuple[str, Num]]:
        """The axes at hand. A mask may be broadcast, so its axes say nothing."""
        for name, value in self.holds.items():
            if not value.optional and (value.type.dtype, value.type.rank) != ("bool", 4):
                yield from ((f"{name}.shape[{axis}]", dim) for axis, dim in enumerate(value.type.shape))


def _linear(size: float | poly.Poly, symbol: str) -> tuple[int, int]:
    """`a, b` where the size is a * symbol + b; 0, 0 where it is not."""
    terms = dict(size.terms) if isinstance(size, poly.Poly) else {}
    factor, rest = terms.pop(((poly.Symbol(symbol), 1),), 0), terms.pop((), 0)
    return (0, 0) if terms else (factor, rest)
