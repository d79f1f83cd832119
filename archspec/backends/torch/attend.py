"""Attention in a forward method: the mask's call, the fused function, or one line per step."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.backends.torch.code import COMPARE, PRODUCT, Code
from archspec.backends.torch.dialect import Attend, AttendRows, Mask, Score, SinkBias
from archspec.backends.torch.forward import Body
from archspec.backends.torch.pair_functions import SIZES, spelt
from archspec.backends.torch.scope import Pending
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Value
from archspec.ir.types import TensorType

WEIGHTS = "nn.Identity()  # hook here to see the attention weights"


def of_pairs(body: Body, node: Apply, op: Mask | Score) -> None:
    """A call of the function of a mask or of what is added to the scores."""
    name, given = body.module.classes.of_pairs(op, node)
    if isinstance(op, Mask) and op.blocks:
        for needed in ("windows_over", "seen", "at", "chosen"):
            body.module.parts.require(f"runtime:windows.{needed}")
    if isinstance(op, Mask) and op.documents:
        body.module.parts.require("runtime:documents.documents_over")
    words = spelt((*op.operands, *(word for word, _ in op.names)))
    sizes = {word: number for word, number in op.attributes() if word in SIZES and isinstance(number, Num)}
    numbers = sizes | {words[word]: number for word, number in op.names}
    texts = {words[word]: body.text(value) for word, value in zip(op.operands, node.inputs, strict=True)}

    def argument(word: str) -> str:
        if word == "device":
            return body.device()
        return texts.get(word) or body.number(numbers[word]).text

    code = Code(f"{name}({', '.join(argument(word) for word in given)})")
    body.assign(node.outputs, code, body.reads(node.inputs))


def masked_bias(body: Body, node: Apply) -> None:
    """The bias with the mask in it, on four axes."""
    bias, mask = node.inputs
    assert bias is not None, "a masked bias without a bias"
    lead = ["None"] * (4 - bias.type.rank)

    def build() -> Code:
        code = body.operand(bias)
        assert code is not None
        text = f"{code.atom}[{', '.join(lead)}]" if lead else code.text
        if mask is None:
            return Code(text)
        body.module.parts.require("runtime:masks.masked_bias")
        return Code(f"masked_bias({text}, {body.text(mask)})")

    body.give(node.outputs, body.settle(node.inputs, build), node.inputs)


def sink_bias(body: Body, node: Apply, op: SinkBias) -> None:
    """The sinks behind a mask or bias, or behind zeros."""
    body.module.parts.require("runtime:masks.sink_bias")
    sinks, mask = node.inputs
    assert sinks is not None, "a sink bias without sinks"

    def build() -> Code:
        given = [body.text(sinks), "None" if mask is None else body.text(mask), body.number(op.keys).text]
        return Code(f"sink_bias({', '.join(given)})")

    body.give(node.outputs, body.settle(node.inputs, build), node.inputs)


def attend(body: Body, node: Apply, op: Attend) -> None:
    operands = [*node.inputs, *[None] * (7 - len(node.inputs))]
    if op.implementation == "eager":
        _eager(body, node, op, operands)
    else:
        _sdpa(body, node, op, operands)


def _sdpa(body: Body, node: Apply, op: Attend, operands: Sequence[Value | None]) -> None:
    name = _function(body, op)
    code = body.settle(node.inputs, lambda: Code(f"{name}({', '.join(_arguments(body, op, operands))})"))
    body.give(node.outputs, code, node.inputs)


def _function(body: Body, op: Attend) -> str:
    """The fused function, or the one around it that leaves out what the mask never lets through."""
    if op.documents:
        for needed in ("windows.window_attention", "documents.document_attention") if op.blocks else ():
            body.module.parts.require(f"runtime:{needed}")
        name = "split_attention" if op.blocks else "document_attention"
        body.module.parts.require(f"runtime:documents.{name}")
        return name
    if not op.blocks and not op.chosen:
        return "F.scaled_dot_product_attention"
    name = "chosen_attention" if op.chosen else "window_attention"
    body.module.parts.require(f"runtime:windows.{name}")
    return name


def _arguments(body: Body, op: Attend, operands: Sequence[Value | None]) -> list[str]:
    """What `F.scaled_dot_product_attention` is handed; options at their defaults are left out."""
    q, k, _, mask, _, chosen, _ = operands
    assert q is not None, "attention without queries"
    assert k is not None, "attention without keys"
    given = [body.text(x) for x in operands if x is not None]
    if chosen is not None and mask is None:
        given.insert(3, "None")
    elif (op.blocks or op.documents) and mask is None:
        given.append("None")
    if _drops(op):
        given.append(f"dropout_p={body.number(op.dropout).inside(PRODUCT)} * self.training")
    if op.causal:
        tests = [f"{body.text(mask)} is None"] if mask is not None and mask.optional else []
        tests += [f"{body.number(op.start).inside(COMPARE)} == 0"] if op.start.value != 0 else []
        given.append(f"is_causal={' and '.join(tests) or 'True'}")
    if op.scale.real != q.type.shape[3].real ** -0.5:
        given.append(f"scale={body.number(op.scale).text}")
    return given if n.same(q.type.shape[1], k.type.shape[1]) else [*given, "enable_gqa=True"]


def attend_rows(body: Body, node: Apply, op: AttendRows) -> None:
    """Attention of chosen rows, with the modules that it runs itself."""
    body.module.parts.require("runtime:windows.project_and_choose")
    width = node.outputs[0].type.shape[3]

    def build() -> Code:
        given = [body.text(x) for x in node.inputs]
        given.insert(4, body.number(op.heads).text)
        if _drops(op):
            given.append(f"dropout_p={body.number(op.dropout).inside(PRODUCT)} * self.training")
        if op.scale.real != width.real**-0.5:
            given.append(f"scale={body.number(op.scale).text}")
        return Code(f"project_and_choose({', '.join(given)})")

    body.give(node.outputs, body.settle(node.inputs, build), node.inputs)


def _drops(op: Attend | AttendRows) -> bool:
    return bool(op.dropout.value or n.reads(op.dropout))


def _eager(body: Body, node: Apply, op: Attend, operands: Sequence[Value | None]) -> None:
    """Scores, softmax in fp32, weights times values: each step a line, the weights open to hooks."""
    q, k, v, mask, sinks, *_ = operands
    assert q is not None, "attention without queries"
    assert k is not None, "attention without keys"
    assert v is not None, "attention without values"
    body.flush()
    if not n.same(q.type.shape[1], k.type.shape[1]):
        k, v = _per_query_head(body, (k, v), q.type.shape[1])
    body.variables.read(body.reads((q, k, mask, sinks)))
    scores, queries = body.variables.choose("scores"), body.text(q)
    shape = ", ".join(map(str, (*q.type.shape[:3], k.type.shape[2])))
    product = f"{_scaled(body, queries, op.scale)} @ {body.text(k)}.transpose(-2, -1)"
    body.write(scores, product, f"[{shape}]")
    _change(body, scores, op, mask)
    attribute = body.module.special("weights", WEIGHTS)
    kept = "" if sinks is None else "[..., :-1]"
    if sinks is not None:
        _sink(body, scores, sinks)
    text = f"self.{attribute}({scores}.softmax(dim=-1, dtype=torch.float32){kept}.to({queries}.dtype))"
    if _drops(op):
        text = f"self.{body.module.dropout(op.dropout)}({text})"
    weights = _temporary(body, "weights", q.type, text)
    code = Code(f"{body.text(weights)} @ {body.text(v)}", PRODUCT)
    body.pending[node.outputs[0].name] = Pending(code, (v.name, weights.name), 1)


def _temporary(body: Body, hint: str, type_: TensorType, text: str) -> Value:
    """A variable of the backend's own, read once."""
    name = body.variables.choose(hint)
    value = Value(f"{name} of attention", type_)
    body.variables.left[value.name] = 1
    body.variables.bind(name, value)
    body.write(name, text)
    return value


def _per_query_head(body: Body, pair: tuple[Value, Value], heads: Num) -> list[Value]:
    """Keys and values once for each query head of their group."""
    times = body.number(heads // pair[0].type.shape[1]).text
    body.variables.read(body.reads(pair))
    made = {x: f"{body.text(x)}.repeat_interleave({times}, dim=1)" for x in pair}
    repeated = {x: _temporary(body, body.text(x), x.type, text) for x, text in made.items()}
    for x, value in repeated.items():
        body.variables.left[value.name] = pair.count(x)
    return [repeated[x] for x in pair]


def _sink(body: Body, scores: str, sinks: Value) -> None:
    """The score of nothing, behind those of the keys."""
    code = body.operand(sinks)
    assert code is not None, "sinks without a value"
    nothing = f"{code.atom}[:, None, None].expand(*{scores}.shape[:3], 1)"
    body.write(scores, f"torch.cat(({scores}, {nothing}), dim=-1)")


def _scaled(body: Body, queries: str, scale: Num) -> str:
    """The queries times the scale: they are fewer numbers than the scores."""
    return queries if scale.value == 1 else f"({queries} * {body.number(scale).inside(PRODUCT + 1)})"


def _change(body: Body, scores: str, op: Attend, mask: Value | None) -> None:
    """Cap, bias and mask, each on a line of its own."""
    if op.softcap is not None:
        cap = body.number(op.softcap)
        body.write(scores, f"{cap.inside(PRODUCT)} * ({scores} / {cap.inside(PRODUCT + 1)}).tanh()")
    if mask is None:
        return
    name = body.text(mask)
    if op.biased:
        body.write(scores, f"{scores} + {name}")
        return
    indent = body.indent
    if mask.optional:
        body.line(f"if {name} is not None:")
        body.indent += 4
    body.write(scores, f"torch.where({name}, {scores}, torch.finfo({scores}.dtype).min)")
    body.indent = indent
