"""How each kind of node is written into a forward method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.backends.torch.code import PRODUCT, Code
from archspec.backends.torch.dialect import Attend, Mask, MaskedBias
from archspec.backends.torch.forward import Body, shape_text
from archspec.backends.torch.scope import Pending
from archspec.dims import num as n
from archspec.ir.graph import Apply, Call, Node, Repeat, Value
from archspec.ir.ops.elementwise import Dropout
from archspec.ir.ops.state import Append, Hold

if TYPE_CHECKING:
    from archspec.backends.torch.module import Module


def write_nodes(body: Body, nodes: tuple[Node, ...], skip: set[int]) -> None:
    """Statements for nodes in order; `skip` holds positions that are written elsewhere."""
    for position, node in enumerate(nodes):
        if position not in skip:
            write_node(body, node, nodes)


def write_node(body: Body, node: Node, nodes: tuple[Node, ...]) -> None:
    if isinstance(node, Call):
        call(body, node)
    elif isinstance(node, Repeat):
        repeat(body, node)
    elif isinstance(node.op, Hold):
        hold(body, node, node.op, nodes)
    elif isinstance(node.op, Append):
        append(body, node, node.op)
    elif isinstance(node.op, Mask):
        mask(body, node, node.op)
    elif isinstance(node.op, MaskedBias):
        masked_bias(body, node)
    elif isinstance(node.op, Attend):
        attend(body, node, node.op)
    elif isinstance(node.op, Dropout):
        dropout(body, node, node.op)
    else:
        body.apply(node)


def arguments(body: Body, module: Module, inputs: tuple[Value, ...], cache: str | None) -> list[str]:
    """What a child's forward is handed: its tensors, sizes it cannot see, and its part of the cache."""
    given = [code.text for v in inputs if (code := body.operand(v)) is not None]
    fresh = module.stateful and cache is None  # this call of the module keeps nothing
    given += ["0" if fresh and size == "past" else body.number(n.symbol(size)).text for size in module.sizes]
    return [*given, cache] if cache else given


def call(body: Body, node: Call) -> None:
    """`self.name(x, mask)`; a region that only holds a parameter is that parameter."""
    module = body.module.child(node.region)
    attribute = body.module.path(node.region.name)
    if not node.region.nodes and not node.region.inputs and len(node.region.params) == 1:
        body.give(node.outputs[0], Code(f"{attribute}.{node.region.params[0].name}"), ())
        return
    cache = body.module.cache_of(node)
    code = body.settle(node.inputs, lambda: Code(f"{attribute}({', '.join(arguments(body, module, node.inputs, cache))})"))
    body.result(node.outputs, code, node.inputs)


def repeat(body: Body, node: Repeat) -> None:
    """A loop over the layers; the carried values keep their names."""
    module = body.module.child(node.variants[0])
    for value in node.inputs:
        if value.name in body.pending:
            body.materialise(value)
    carried = node.inputs[: len(node.outputs)]
    reads, _ = body.reads(node.inputs)
    body.variables.read(reads)
    names = [_carry(body, old, new) for old, new in zip(carried, node.outputs, strict=True)]
    rest = [code.text for v in node.inputs[len(carried) :] if (code := body.operand(v)) is not None]
    sizes = [body.number(n.symbol(size)).text for size in module.sizes]
    layer = body.module.layer_name(node, body.variables)
    cache = body.module.cache_of(node)
    given = [*names, *rest, *sizes, *([f"{cache}[i] if cache is not None else None"] if cache else [])]
    if node.shared:
        called = f"self.{node.name}[0]"
        body.line(f"for {'i' if cache else '_'} in range({body.number(node.count).text}):")
    else:
        called = layer
        body.line(f"for i, {layer} in enumerate(self.{node.name}):" if cache else f"for {layer} in self.{node.name}:")
    body.indent += 4
    body.write(", ".join(names), f"{called}({', '.join(given)})")
    body.indent -= 4


def _carry(body: Body, old: Value, new: Value) -> str:
    """The variable that goes around the loop: the old one's, unless the old value is read again."""
    name = body.variables.named[old.name]
    if body.variables.left.get(old.name, 0) > 0 or name in body.variables.blocked:
        fresh = body.variables.choose("x")
        body.write(fresh, name)
        name = fresh
    body.variables.bind(name, new)
    return name


def append(body: Body, node: Apply, op: Append) -> None:
    """`if cache is not None: k, v = cache.append(k, v)`."""
    body.flush()
    names = [body.variables.named[v.name] for v in node.inputs if v is not None]
    reads, _ = body.reads(node.inputs)
    body.variables.read(reads)
    cache = body.module.state_of(op.state)
    body.line("if cache is not None:")
    text = shape_text(node.outputs[0].type)
    body.indent += 4
    body.write(", ".join(names), f"{cache}.append({', '.join(names)})", text)
    body.indent -= 4
    for name, value in zip(names, node.outputs, strict=True):
        body.variables.bind(name, value)


def hold(body: Body, node: Apply, op: Hold, nodes: tuple[Node, ...]) -> None:
    """Computed at the first step, read from the cache at later ones."""
    cache = body.module.state_of(op.state)
    inner = [n for n in nodes if any(n is nodes[i] for i in exclusive(nodes, node))]
    names = _held_names(body, node)
    body.line(f"if cache is not None and {cache}.kept:")
    target = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
    body.line(f"    {target} = {cache}.kept")
    body.line("else:")
    body.indent += 4
    for inside in inner:
        write_node(body, inside, nodes)
    for name, value in zip(names, node.inputs, strict=True):
        assert value is not None
        waiting = body.pending.pop(value.name, None)
        if waiting is not None:
            body.variables.read(waiting.reads)
            body.write(name, waiting.code.text, shape_text(value.type))
        elif body.variables.named[value.name] != name:
            body.write(name, body.variables.named[value.name])
    body.line("if cache is not None:")
    body.line(f"    {cache}.keep({', '.join(names)})")
    body.indent -= 4
    for name, value in zip(names, node.outputs, strict=True):
        body.variables.bind(name, value)


def _held_names(body: Body, node: Apply) -> list[str]:
    names: list[str] = []
    for value in node.outputs:
        name = body.variables.choose(value.name.removesuffix("_held"))
        while name in names:
            name += "_"
        names.append(name)
    return names


def exclusive(nodes: tuple[Node, ...], held: Apply) -> set[int]:
    """Positions of the nodes whose results only feed `held`, directly or through each other."""
    wanted = {v.name for v in held.inputs if v is not None}
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for value in node.inputs:
            if value is not None:
                readers.setdefault(value.name, []).append(node)
    found: set[int] = set()
    inside: list[Node] = [held]
    for position in range(len(nodes) - 1, -1, -1):
        node = nodes[position]
        used = [r for o in node.outputs for r in readers.get(o.name, [])]
        if any(o.name in wanted for o in node.outputs) and all(any(r is i for i in inside) for r in used):
            found.add(position)
            inside.append(node)
            wanted |= {v.name for v in node.inputs if v is not None}
    return found


def mask(body: Body, node: Apply, op: Mask) -> None:
    """A call of the mask's function."""
    name, given, operands = body.module.mask(op, node)
    values = {"start": op.start, "queries": op.queries, "keys": op.keys, **dict(op.names)}
    texts = dict(zip(operands, (body.operand(v) for v in node.inputs), strict=True))

    def argument(word: str) -> str:
        if word == "device":
            return body.device()
        code = texts.get(word)
        return code.text if code else body.number(values[word]).text

    code = Code(f"{name}({', '.join(argument(word) for word in given)})")
    reads, _ = body.reads(node.inputs)
    body.assign(node.outputs, code, reads)


def masked_bias(body: Body, node: Apply) -> None:
    bias, mask = node.inputs
    assert bias is not None
    lead = 4 - bias.type.rank

    def build() -> Code:
        code = body.operand(bias)
        assert code is not None
        text = f"{code.atom}[{', '.join(['None'] * lead)}]" if lead else code.text
        if mask is None:
            return Code(text)
        body.module.parts.require("runtime:masks.masked_bias")
        other = body.operand(mask)
        return Code(f"masked_bias({text}, {other.text if other else 'None'})")

    body.result(node.outputs, body.settle(node.inputs, build), node.inputs)


def dropout(body: Body, node: Apply, op: Dropout) -> None:
    attribute = body.module.dropout(op.p)
    code = body.settle(node.inputs, lambda: Code(f"self.{attribute}({_text(body, node.inputs[0])})"))
    body.result(node.outputs, code, node.inputs)


def _text(body: Body, value: Value | None) -> str:
    code = body.operand(value)
    return code.text if code else "None"


def attend(body: Body, node: Apply, op: Attend) -> None:
    if op.implementation == "eager":
        _eager(body, node, op)
    else:
        _sdpa(body, node, op)


def _sdpa(body: Body, node: Apply, op: Attend) -> None:
    for value in node.inputs[:3]:
        if value is not None and value.name in body.pending and op.causal:
            body.materialise(value)
    code = body.settle(node.inputs, lambda: Code(f"F.scaled_dot_product_attention({', '.join(_sdpa_arguments(body, node, op))})"))
    body.result(node.outputs, code, node.inputs)


def _causal_flag(body: Body, mask: Value | None, op: Attend) -> str:
    """True where SDPA's own causal rule is the whole mask: none was made, and the queries start at the first key."""
    tests = [f"{_text(body, mask)} is None"] if mask is not None and mask.optional else []
    tests += [f"{body.number(op.start).text} == 0"] if op.start.value != 0 else []
    return " and ".join(tests) or "True"


def _sdpa_arguments(body: Body, node: Apply, op: Attend) -> list[str]:
    body.module.parts.require("import torch.nn.functional as F")
    q, k, v, mask = (*node.inputs, *(None,) * (4 - len(node.inputs)))
    assert q is not None and k is not None
    given = [_text(body, x) for x in (q, k, v)]
    if mask is not None:
        given.append(f"attn_mask={_text(body, mask)}")
    if not (op.dropout.static and op.dropout.value == 0 and not n.reads(op.dropout)):
        given.append(f"dropout_p={body.number(op.dropout).text} * self.training")
    if op.causal:
        given.append(f"is_causal={_causal_flag(body, mask, op)}")
    if op.scale.real != q.type.shape[3].real ** -0.5:
        given.append(f"scale={body.number(op.scale).text}")
    if not n.same(q.type.shape[1], k.type.shape[1]):
        given.append("enable_gqa=True")
    return given


def _eager(body: Body, node: Apply, op: Attend) -> None:
    """Scores, softmax in fp32, weights times values: each step a line, the weights open to hooks."""
    q, k, v, mask = (*node.inputs, *(None,) * (4 - len(node.inputs)))
    assert q is not None and k is not None and v is not None
    body.flush()
    names = [_text(body, x) for x in (q, k, v)]
    reads, _ = body.reads((q, k, mask))
    body.variables.read(reads)
    scores = body.variables.choose("scores")
    if not n.same(q.type.shape[1], k.type.shape[1]):
        times = body.number(q.type.shape[1] // k.type.shape[1]).inside(0)
        for name in names[1:]:
            body.write(name, f"{name}.repeat_interleave({times}, dim=1)")
    scale = "" if op.scale.value == 1 else f" * {body.number(op.scale).inside(PRODUCT)}"
    shape = ", ".join((*map(str, q.type.shape[:3]), str(k.type.shape[2])))
    body.write(scores, f"{names[0]} @ {names[1]}.transpose(-2, -1){scale}", f"[{shape}]")
    if op.softcap is not None:
        cap = body.number(op.softcap)
        body.write(scores, f"{cap.inside(PRODUCT)} * (({scores} / {cap.inside(PRODUCT)}).tanh())")
    if mask is not None:
        _apply_mask(body, scores, _text(body, mask), op, optional=mask.optional)
    weights = body.module.special("weights", "nn.Identity()  # hook here to see the attention weights")
    text = f"self.{weights}({scores}.softmax(dim=-1, dtype=torch.float32).to({names[0]}.dtype))"
    if op.dropout.value != 0 or n.reads(op.dropout):
        text = f"self.{body.module.dropout(op.dropout)}({text})"
    body.write(scores, text)
    body.module.parts.require("import torch")
    held = Value(f"{node.outputs[0].name} scores", node.outputs[0].type)
    body.variables.bind(scores, held)
    body.variables.left[held.name] = 1
    body.pending[node.outputs[0].name] = Pending(Code(f"{scores} @ {names[2]}", PRODUCT), (v.name, held.name), 1)


def _apply_mask(body: Body, scores: str, mask: str, op: Attend, *, optional: bool) -> None:
    if op.biased:
        body.write(scores, f"{scores} + {mask}")
        return
    fill = f"{scores}.masked_fill(~{mask}, torch.finfo({scores}.dtype).min)"
    if optional:
        body.line(f"if {mask} is not None:")
        body.indent += 4
    body.write(scores, fill)
    if optional:
        body.indent -= 4

