"""What no step of this model runs is judged all the same: blocks nobody uses, and defaults of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.components import COMPONENTS
from archspec.components.elsewhere import field_hint, op_hint
from archspec.components.fields import arguments
from archspec.dims.expr import names_in
from archspec.ir.builder import Builder, Handle
from archspec.lowering.faults import Broken, located
from archspec.lowering.frame import Frame, Maybe
from archspec.lowering.signature import declared_type, new_sizes, read_type
from archspec.spec.limits import stop_if_many
from archspec.spec.names import short
from archspec.spec.node import Mapping, Node, Scalar
from archspec.spec.spec import BlockDef

if TYPE_CHECKING:
    from archspec.lowering.lower import Lowering


def check(low: Lowering, frame: Frame) -> None:
    """Adds the findings of the parts of a document that lowering did not pass through."""
    _defaults(low)
    for block in low.spec.blocks.values():
        if block.name not in low.used_blocks:
            with low.inside(block, block.node.span):
                _block(low, frame, block)


def _defaults(low: Lowering) -> None:
    for key, node in low.spec.section("defaults").entries:
        stop_if_many(low.found)
        word = COMPONENTS.get(str(key.value))
        if word is None:
            hint = op_hint(str(key.value), COMPONENTS) or "'archspec list --ops' shows the words"
            low.found.add(
                "L001", f"there is no op '{short(str(key.value))}' to give defaults to", key.span, hint
            )
        elif isinstance(node, Mapping):
            fields = arguments(word)
            for name in (name for name, _ in node.entries if name.value not in fields):
                stop_if_many(low.found)
                message = f"unknown argument '{short(str(name.value))}' of {word.words[0]}"
                options = fields if word.source else ("in", *fields)
                low.found.add("S001", message, name.span, field_hint(str(name.value), options))


def _block(low: Lowering, frame: Frame, block: BlockDef) -> None:
    """The block with inputs of the types it declares, where that is enough; arguments stand for nothing."""
    values = {} if block.closed else dict(low.settings.values)
    inner = Frame(low, Builder(block.name, block.name), values, {}, {}, closed=block.closed)
    inner.failed = frozenset(block.args.keys() if block.args else ())
    ports = block.inputs.entries if block.inputs else ()
    for key, declared in ports:
        type_ = declared.get("type") if isinstance(declared, Mapping) else declared
        inner.tensors[str(key.value)] = _input(inner, str(key.value), type_)
        inner.failed |= new_sizes(inner, type_)
    if block.inputs is None:
        inner.tensors["x"] = None
    inner.x, inner.fresh = next(iter(inner.tensors.values()), None), not inner.tensors
    low.body(inner, block.body)
    low.check_stacks(inner)


def _input(inner: Frame, name: str, text: Node | None) -> Maybe:
    """An input of the declared type; None where its sizes are names that only a use gives a meaning."""
    if not isinstance(text, Scalar) or not isinstance(text.value, str):
        return None

    def read() -> Handle:
        with located(text):
            _, sizes = read_type(str(text.value))
            known = {"past", *inner.values, *inner.dims}
            if any(word.id not in known for size in sizes for word in names_in(size)):
                raise Broken
            return inner.builder.input(name, declared_type(str(text.value), inner, inner.lowering.dims))

    return inner.attempt(text.span, read)
