"""An account as tables: parameters, FLOPs, memory of inference and of training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from archspec.analysis.cost import NOTHING, Cost
from archspec.analysis.widths import width
from archspec.reports.account import Account
from archspec.reports.table import Row, Table

if TYPE_CHECKING:
    from archspec.backends.torch.fake.trace import Trace

FLOP = "2 FLOPs per multiply-add; biases, softmax and single elements are not in it"
_DTYPES = ("float32", "bfloat16", "int8")
_MOST = 12  # rows of a breakdown
_LAYER = re.compile(r"(?<=\.)\d+(?=\.|$)")  # the number of a layer in a path


def tables(account: Account) -> Iterator[Table]:
    """What there is to say: without all sizes no memory."""
    yield parameters(account)
    yield flops(account)
    yield flops_by_class(account)
    if account.state.kept:
        yield state(account)
    if account.numeric:
        yield inference(account)
        yield training(account)
        yield saved(account.training)
    yield modules(account)


def parameters(account: Account) -> Table:
    """Counts, and bytes by dtype."""
    p = account.parameters
    trained = sum(one.count for one in account.learned if one.trainable)
    rows = [Row("parameters", (p.total,), "count"), Row("trained", (trained,), "count")]
    if p.active != p.total:
        rows.append(
            Row("active per token", (p.active,), "count", "experts that a token is not routed to left out")
        )
    if p.buffers:
        rows.append(Row("buffers", (p.buffers,), "count", "in the checkpoint, not learned"))
    rows += [Row(f"tied: {alias}", (0,), "count", f"is {owner}") for alias, owner in p.tied]
    rows += [Row(f"bytes in {dtype}", (p.bytes(dtype),), "B") for dtype in _DTYPES if width("float", dtype)]
    parts = sorted(p.by_component().items(), key=lambda item: -item[1])
    rows += [Row(f"in {name or 'the model itself'}", (count,), "count") for name, count in parts[:_MOST]]
    return Table("Parameters", tuple(rows))


def flops(account: Account) -> Table:
    """By both conventions: attention between all pairs, and between those that a mask lets through."""
    forward, step = account.forward, account.step
    rows = [_cost("forward", forward.forward)]
    if account.decode is not None:
        past = "past" if account.past is None else f"{account.past:,}"
        rows.append(_cost("decode, one token", account.decode.forward, f"{past} tokens in the cache"))
    if account.question.attention == "triton" and account.numeric:
        rows += _in_tiles(account)
    rows += [_cost("training step", step.step, f"checkpointing: {account.question.checkpoint}")]
    rows += [_cost("of it backward", step.backward), _cost("of it computed again", step.again)]
    rows.append(
        Row("single elements, forward", (forward.elements(), None), "FLOP", "one per element and function")
    )
    unknown = ("a mask that divides positions has no closed form: give sizes",)
    notes = (
        FLOP,
        *(unknown if forward.forward.exact is None else ()),
        "full: attention between all pairs; exact: only pairs that the mask lets through",
        *step.notes,
        *(account.decode.notes if account.decode is not None else ()),
    )
    return Table("FLOPs", tuple(rows), ("full", "exact"), tuple(dict.fromkeys(notes)))


def _in_tiles(account: Account) -> list[Row]:
    """What generated kernels compute of the forward pass's attention."""
    from archspec.reports.in_tiles import TILE, in_tiles  # lazy: only generated kernels have tiles

    found = in_tiles(account.graph, account.sizes)
    if not found:
        return []
    note = f"all pairs of the tiles visited, {TILE[0]} queries by {TILE[1]} keys"
    return [Row("of it attention, in tiles", (None, found), "FLOP", note)]


def _cost(label: str, cost: Cost, note: str = "") -> Row:
    return Row(label, (cost.full, cost.exact), "FLOP", note)


def flops_by_class(account: Account) -> Table:
    """The forward pass by class of operation."""
    by_class = account.forward.by_class()
    rows = [_cost(name, cost) for name, cost in by_class.items() if name != "elementwise"]
    return Table("Forward FLOPs by class", tuple(rows), ("full", "exact"))


def modules(account: Account, depth: int = 3) -> Table:
    """By module, layers of a stack together: parameters, forward FLOPs of all pairs, saved bytes."""
    counts, costs = account.parameters.by_path(depth), account.forward.by_path(depth)
    sizes = _saved_by_path(account.training, depth) if account.numeric else {}
    paths = list(dict.fromkeys((*costs, *counts, *sizes)))
    found = [(path, counts.get(path, 0), costs.get(path, NOTHING).full, sizes.get(path, 0)) for path in paths]
    rows = [
        Row(path or "the model itself", (count, flops, kept), ("count", "FLOP", "B"))
        for path, count, flops, kept in found
        if (count, flops, kept) != (0, 0, 0)
    ]
    return Table("By module", tuple(rows), ("parameters", "forward FLOPs, all pairs", "saved"))


def _saved_by_path(trace: Trace, depth: int) -> dict[str, int]:
    sizes = Counter[str]()
    for one in trace.saved:
        if one.role == "activation":
            place = _LAYER.sub("*", one.place)
            sizes[".".join(place.split(".")[:depth])] += one.nbytes
    return sizes


def state(account: Account) -> Table:
    """What decoding keeps."""
    kept, dtype = account.state, account.question.dtype
    rows = [Row("per token and sequence", (kept.per_token,), "B", dtype)]
    if kept.fixed() != 0:
        rows.append(Row("that does not grow", (kept.fixed(),), "B", "computed once, or carried on"))
    if kept.latent_per_token < kept.per_token:
        note = "from which keys and values could be computed again; the emitted module keeps these"
        rows.append(Row("enough per token", (kept.latent_per_token,), "B", note))
    stream = account.graph.stream
    context = account.question.sizes.get(stream or "")
    if account.numeric and context:
        batch = account.question.sizes.get(kept.batch, 1)
        sizes = {k: v for k, v in account.question.sizes.items() if k != kept.batch}
        rows.append(Row(f"at {context:,} tokens", (kept.at(context, batch=batch, sizes=sizes),), "B"))
        if kept.windowed(context, batch=batch) < kept.per_token * context * batch:
            rows.append(Row("what windows can still see", (kept.windowed(context, batch=batch),), "B"))
    return Table("State of decoding", tuple(rows))


def inference(account: Account) -> Table:
    """Weights, and the most that is alive beside them."""
    trace = account.inference
    rows = (
        Row("weights", (trace.parameters,), "B", account.question.dtype),
        Row("buffers", (trace.buffers,), "B"),
        Row("inputs", (trace.inputs,), "B"),
        Row("activations, at their peak", (trace.peak,), "B", f"at {trace.peak_at}"),
        Row("results", (trace.outputs,), "B"),
        Row(
            "together", (trace.parameters + trace.buffers + trace.inputs + trace.peak,), "B", "a forward pass"
        ),
    )
    return Table("Memory of inference", rows, notes=_notes(account, trace))


def training(account: Account) -> Table:
    """Weights, gradients, optimizer, and what the backward pass needs."""
    trace, kept, question = account.training, account.optimizer, account.question
    rows = [
        Row("weights", (kept.weights,), "B", question.policy.says),
        Row("gradients", (kept.gradients,), "B"),
        Row("master copies", (kept.master,), "B"),
        Row("moments", (kept.first_moment + kept.second_moment,), "B", question.optimizer),
        Row(
            "saved activations",
            (trace.activations,),
            "B",
            f"checkpointing: {question.checkpoint}",
        ),
    ]
    if trace.weight_copies:
        rows.append(Row("autocast's copies of weights", (trace.weight_copies,), "B"))
    step = account.training_step
    rows.append(
        Row("beside all that, at the peak of a step", (step.peak - _held(trace),), "B", f"at {step.peak_at}")
    )
    rows.append(Row("together", (kept.total + account.training_peak,), "B"))
    lora = ("adapters are in the dtype of the model, without dropout of their own",)
    notes = (*_notes(account, trace), *(lora if question.lora is not None else ()))
    return Table("Memory of training", tuple(rows), notes=notes)


def _held(trace: Trace) -> int:
    return trace.activations + trace.weight_copies


def saved(trace: Trace) -> Table:
    """What the backward pass needs, by operation and reason."""
    sizes, counts = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one in trace.saved:
        if one.role == "activation":
            sizes[one.operation, one.reason] += one.nbytes
            counts[one.operation, one.reason] += 1
    most = sizes.most_common(_MOST)
    rows = [
        Row(f"{operation}: {reason}", (size,), "B", f"in {counts[operation, reason]}")
        for (operation, reason), size in most
    ]
    rest = sum(sizes.values()) - sum(size for _, size in most)
    rows += [Row("all others", (rest,), "B")] if rest else []
    return Table("Saved for the backward pass, by the operation that needs it", tuple(rows))


def _notes(account: Account, trace: Trace) -> tuple[str, ...]:
    question = account.question
    where = "a GPU" if question.hardware == "cuda" else "a CPU"
    notes = [f"attention={question.attention}, as torch keeps it on {where}; no workspaces, no allocator"]
    if trace.assumed:
        notes.append("experts are taken to get even shares, and numbers that only data gives as asked")
    return tuple(notes)
