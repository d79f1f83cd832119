"""A call of FlexAttention in a forward method."""

from __future__ import annotations

from archspec.backends.torch.code import PRODUCT, Code
from archspec.backends.torch.dialect import AttendByFlex
from archspec.backends.torch.forward import Body
from archspec.dims import num as n
from archspec.ir.graph import Apply, Value


def attend_by_flex(body: Body, node: Apply, op: AttendByFlex) -> None:
    """`flex(q, k, v, score_mod=score_mod, block_mask=mask)`; scores of nothing change its result."""
    sinks = node.inputs[6]
    if op.dropout.value or n.reads(op.dropout):
        body.module.parts.require("runtime:flex.no_dropout")
        body.line(f"no_dropout({body.number(op.dropout).inside(PRODUCT)} * self.training)")
    if sinks is not None:
        body.module.parts.require("runtime:flex.with_sinks")

    def build() -> Code:
        call = f"flex({', '.join(_arguments(body, node, op))})"
        return Code(call if sinks is None else f"with_sinks(*{call}, {body.text(sinks)})")

    body.give(node.outputs, body.settle(node.inputs, build), node.inputs)


def _arguments(body: Body, node: Apply, op: AttendByFlex) -> list[str]:
    """What FlexAttention is handed; options at their defaults are left out."""
    q, k, v, mask, score, bias, sinks = node.inputs
    assert q is not None, "attention without queries"
    assert k is not None, "attention without keys"
    change = _change(body, op, score, bias)
    given = [body.text(x) for x in (q, k, v)]
    given += [f"score_mod={change}"] if change else []
    given += [f"block_mask={body.text(mask)}"] if mask is not None else []
    if op.scale.real != q.type.shape[3].real ** -0.5:
        given.append(f"scale={body.number(op.scale).text}")
    given += [] if n.same(q.type.shape[1], k.type.shape[1]) else ["enable_gqa=True"]
    return given if sinks is None else [*given, "return_aux=AuxRequest(lse=True)"]


def _change(body: Body, op: AttendByFlex, score: Value | None, bias: Value | None) -> str:
    """What is done to a score: it is capped, then a tensor and what a rule says are added."""
    text = body.text(score) if score is not None else ""
    if bias is not None:
        body.module.parts.require("runtime:flex.biased")
        text = f"biased({', '.join(filter(None, (body.text(bias), text)))})"
    if op.softcap is None:
        return text
    body.module.parts.require("runtime:flex.capped")
    return f"capped({', '.join(filter(None, (body.number(op.softcap).text, text)))})"
