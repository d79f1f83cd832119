"""Names that a spec cannot have in emitted source, because the source or torch means something by them."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable

from archspec.errors import Diagnostic, Span, UnsupportedError

# What the code of a method reads besides its own variables.
GLOBALS = frozenset(
    {"torch", "F", "nn", "math", "Tensor", "NamedTuple", "Output", "KVCache", "Held", "Carried"}
)
READ = GLOBALS | frozenset(
    {
        "abs",
        "enumerate",
        "float",
        "int",
        "len",
        "max",
        "min",
        "range",
        "round",
        "sum",
        "super",
        "tuple",
        "zip",
    }
)

# Names that no variable takes: keywords, builtins, globals, and the arguments that methods have of their own.
FLEX = frozenset({"flex", "flex_attention", "create_block_mask", "BlockMask", "AuxOutput", "AuxRequest"})
RESERVED = (
    GLOBALS
    | FLEX
    | {"self", "cache", "past", "i", "layer"}
    | frozenset(keyword.kwlist)
    | frozenset(dir(builtins))
)

# Attributes of every `nn.Module`, and the methods of an emitted model.
ATTRIBUTES = frozenset({
    "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children",
    "compile", "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr", "float", "forward",
    "get_buffer", "get_extra_state", "get_parameter", "get_submodule", "half", "ipu", "load_state_dict",
    "modules", "mtia", "named_buffers", "named_children", "named_modules", "named_parameters",
    "parameters", "register_backward_hook", "register_buffer", "register_forward_hook",
    "register_forward_pre_hook", "register_full_backward_hook", "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook", "register_module",
    "register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook",
    "requires_grad_", "set_extra_state", "set_submodule", "share_memory", "state_dict", "to", "to_empty",
    "train", "training", "type", "xpu", "zero_grad",
})  # fmt: skip
METHODS = frozenset({"init_weights", "loss", "make_cache"})


def refuse(names: Iterable[str], taken: frozenset[str], kind: str, span: Span | None = None) -> None:
    """Raises `UnsupportedError` U004 for a name that must be kept, but means something else in source."""
    wrong = sorted({name.split(".")[0] for name in names} & taken)
    if wrong:
        message = f"{kind} cannot be called '{wrong[0]}' in torch source, where that means something else"
        raise UnsupportedError(Diagnostic("U004", message, span, f"call it '{wrong[0]}_'"))
