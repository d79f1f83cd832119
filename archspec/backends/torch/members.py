"""The statements of a constructor: attributes, parameters, modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.backends.torch.construct import construct
from archspec.backends.torch.layers import module_list, repeat_lines
from archspec.backends.torch.layout import statement
from archspec.backends.torch.ops.write import says, tuple_
from archspec.ir.graph import Call, Param, Region, Repeat
from archspec.ir.types import is_float

if TYPE_CHECKING:
    from archspec.backends.torch.module import Module


def init_lines(module: Module) -> list[str]:
    """The statements of the constructor, after `super().__init__()`."""
    lines = [f"        self.{attribute} = {word}" for word, attribute in module.attributes.items()]
    lines += [line for param in module.region.params for line in _param_lines(module, param)]
    for base, calls in _calls(module.region).items():
        lines += _call_lines(module, base, calls) if isinstance(calls, list) else repeat_lines(module, calls)
    lines += [f"        self.{attribute} = nn.Dropout({p})" for p, attribute in module.dropouts.items()]
    return lines + [f"        self.{name} = {text}" for name, text in module.specials.items()]


def _param_lines(module: Module, param: Param) -> list[str]:
    sizes = [module.number(size) for size in param.value.type.shape]
    if param.trainable:
        shape = ", ".join(sizes) or "()"
        return statement(f"self.{param.name} = ", f"nn.Parameter(torch.empty({shape}))", 8)
    return statement("", f'self.register_buffer("{param.name}", {_made(module, param, sizes)})', 8)


def _made(module: Module, param: Param, sizes: list[str]) -> str:
    """The tensor that a buffer is at first."""
    init, dtype = param.init, param.value.type.dtype
    value, kind = module.number(init.a), "" if is_float(dtype) else f", dtype=torch.{dtype}"
    if init.kind == "sinusoids" and init.b is not None:
        module.parts.require("runtime:positions.sinusoids")
        return f"sinusoids({', '.join([*sizes, value, module.number(init.b)])})"
    shape = ", ".join(sizes) or "()"
    known = {0: f"torch.zeros({shape}{kind})", 1: f"torch.ones({shape}{kind})"}
    made = next((text for number, text in known.items() if says(value, number)), None)
    return made or f"torch.full({tuple_(sizes)}, {value}{kind})"


def _calls(region: Region) -> dict[str, list[Call] | Repeat]:
    """The modules to make, in order: loops, and calls by the first part of their names."""
    out: dict[str, list[Call] | Repeat] = {}
    for node in region.nodes:
        if isinstance(node, Repeat):
            out[node.name] = node
        elif isinstance(node, Call) and not node.shared:
            same = out.setdefault(node.region.name.split(".")[0], [])
            assert isinstance(same, list), f"'{node.region.name}' is a loop and a module"
            same.append(node)
    return out


def _call_lines(module: Module, base: str, calls: list[Call]) -> list[str]:
    """`self.name = …`, or a list of modules where names are numbered."""
    made = [construct(module, module.child(call), call.region) for call in calls]
    if calls[0].region.name == base:
        return statement(f"self.{base} = ", made[0], 8)
    return module_list(base, made)
