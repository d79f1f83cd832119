"""The `weights` section of a spec: how a model's tensors are named and laid out in a published checkpoint.

Going from our tensors to the hub's, the rules apply in this order:

1. `rename`, then `segments`: the name is spelt as the hub spells it.
2. A tensor that has just got a name is rearranged by the rules that name it, in this order:
   `rope`, `reorder`, `interleave`, `reshape`, `transpose`.
3. `stack`, `fuse`, `split`, `unstack`, in this order: tensors are joined or taken apart, and what they
   make is rearranged again as in 2.

Coming back, the same steps run in reverse. A pattern is a run of dotted segments, `*` stands for one
index, and from step 2 on it names every tensor in whose hub name it occurs: `attn.qkv` means the weight
and the bias. A `?` at its end (`mlp.gate?`) allows it to match nothing; without it, that is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, convert, field

from archspec.errors import Diagnostic, Span, WeightsError
from archspec.weights.form import ShortForm, mistakes, spelt_out

Library = Literal["transformers", "diffusers"]
Axis = Annotated[int, Meta(ge=0)]
Size = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
FolderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class SplitRule(ShortForm, frozen=True):
    """One of our tensors is several of the hub's, cut along an axis."""

    short: ClassVar[str] = "into"
    into: Annotated[
        tuple[str, ...], Meta(min_length=2), "The parts in order; each replaces the last segment."
    ]
    axis: Annotated[Axis, "The axis of our tensor that is cut."] = 0
    sizes: Annotated[tuple[Size, ...] | None, "Lengths of the parts. Equal parts if absent."] = None


class FuseRule(ShortForm, frozen=True):
    """Several of our tensors are one of the hub's, concatenated along an axis."""

    short: ClassVar[str] = "from"
    parts: Annotated[
        tuple[str, ...], Meta(min_length=2), "The parts in order; each replaces the last segment."
    ] = field(name="from")
    axis: Annotated[Axis, "The axis along which the parts are concatenated."] = 0


class RopeRule(Struct, frozen=True):
    """Rows of a query or key projection, whose rotary pairs lie differently in the hub's tensor."""

    head_dim: Annotated[Size, "Rows per head."]
    rotary_dim: Annotated[Size | None, "Rotated rows of each head. All of them if absent."] = None
    hub: Annotated[
        Literal["interleaved", "half"],
        "The hub pairs rows 2i and 2i+1 (interleaved), or i and i + rotary_dim/2 (half).",
    ] = "interleaved"
    axis: Annotated[Axis, "The axis that holds heads times head_dim."] = 0


class ReorderRule(ShortForm, frozen=True):
    """The same chunks along an axis, in another order."""

    short: ClassVar[str] = "order"
    order: Annotated[
        tuple[Count, ...],
        Meta(min_length=2),
        "Chunk i of the hub's tensor is chunk order[i] of ours.",
    ]
    sizes: Annotated[tuple[Size, ...] | None, "Lengths of our chunks. Equal chunks if absent."] = None
    axis: Annotated[Axis, "The axis that is cut into chunks."] = 0


class InterleaveRule(Struct, frozen=True):
    """Ours is [q; k; v] as chunks, the hub's repeats a little of each for every group: [groups, parts, d]."""

    groups: Annotated[Size, "How often the pattern repeats: heads, key-value heads, channels."]
    parts: Annotated[
        Size | tuple[Size, ...],
        "The number of equal parts, or each part's share of a group: [n, 1, 1] for n queries.",
    ]
    axis: Annotated[Axis, "The axis that is interleaved."] = 0


class ImportRules(Struct, frozen=True):
    """What a published config.json may say besides `config`; only `archspec import` reads this."""

    defaults: Annotated[
        dict[str, Any],
        "What the hub's library takes for a field that is left out, an expression of params; for null too, "
        "unless it is `true`, a word or a number but 0. A field not in `config` must have this value.",
    ] = {}
    ignore: Annotated[
        tuple[str, ...],
        "Fields that cannot change what this model computes, whatever they say. One that is in "
        "`config` is written, and not read.",
    ] = ()
    accept: Annotated[
        dict[str, str],
        "Other spellings: a field of the file, to the field that it means. Where both are there, they agree.",
    ] = {}
    instead: Annotated[
        dict[str, str],
        "A field of the file, to the field it is read in place of, whatever that says.",
    ] = {}
    free: Annotated[
        tuple[str, ...],
        "Params with an expression that a file may set to another value. All others are what their "
        "expressions say, or the file is refused.",
    ] = ()
    same: Annotated[
        dict[str, tuple[Any, ...]],
        "Other values: those of a field that are read as the first one, an expression of params.",
    ] = {}


_PATTERNS = "Run of hub-name segments to "


class WeightRules(Struct, frozen=True):
    """One checkpoint format of a model: names, layouts and the hub's own configuration."""

    class_: Annotated[str | None, "The hub's architecture class, for config.json."] = field(
        default=None, name="class"
    )
    library: Annotated[Library, "Whose folder it is: names of files, form of config.json."] = "transformers"
    graph: Annotated[str | None, "The part of the model it holds: one of `graphs`."] = None
    folder: Annotated[FolderName | None, "Its place beside others."] = None
    pipeline: Annotated[
        str | None, "The class that runs it together with those in other folders, for model_index.json."
    ] = None
    config: Annotated[dict[str, Any], "Written to config.json on export."] = {}
    import_: Annotated[ImportRules, "What else a config.json may say that is imported."] = field(
        default=ImportRules(), name="import"
    )
    rename: Annotated[
        dict[str, str],
        "Our name prefix to hub prefix. The first rule that fits a name rewrites it.",
    ] = {}
    segments: Annotated[
        dict[str, str],
        "Runs of segments rewritten in what `rename` left of a name, longest first.",
    ] = {}
    stack: Annotated[
        dict[str, str],
        "Several of ours, `experts.*.w`, to one of the hub's with a new first axis: `experts.w`.",
    ] = {}
    fuse: Annotated[dict[str, FuseRule], _PATTERNS + "the tensors of ours that it concatenates."] = {}
    split: Annotated[dict[str, SplitRule], _PATTERNS + "the tensors that it becomes in the hub."] = {}
    unstack: Annotated[
        dict[str, str],
        "One of ours, `experts.w`, is one per index of its first axis in the hub: `experts.*.w`.",
    ] = {}
    rope: Annotated[dict[str, RopeRule], _PATTERNS + "how its rotary pairs lie."] = {}
    reorder: Annotated[dict[str, ReorderRule], _PATTERNS + "the order of its chunks."] = {}
    interleave: Annotated[dict[str, InterleaveRule], _PATTERNS + "how its chunks alternate."] = {}
    reshape: Annotated[dict[str, tuple[int, ...]], _PATTERNS + "the hub's shape; one size may be -1."] = {}
    transpose: Annotated[
        tuple[str, ...],
        "Tensors of 2 or 3 axes that the hub stores with the last two exchanged.",
    ] = ()
    ignore: Annotated[
        tuple[str, ...],
        "Hub tensors that this model has no use for, present or not. Never written.",
    ] = ()
    alias: Annotated[
        dict[str, str],
        "Full hub names of tied tensors that files may repeat, to the name they repeat.",
    ] = {}
    accept: Annotated[
        dict[str, str],
        "Spellings of older files, read and never written: run of segments to the present one.",
    ] = {}
    base_prefix: Annotated[
        str | None,
        "First segments that files of the bare model leave out. Read without, written with.",
    ] = None


def read_rules(section: Mapping[str, object], spans: Mapping[str, Span] | None = None) -> WeightRules:
    """The rules of one evaluated section. `spans` maps dotted paths, `rename.h.*`, to places in the spec.

    Raises WeightsError W001 with every mistake of form.
    """
    found = [
        Diagnostic("W001", f"weights.{'.'.join(path)}{message}", span_at(spans or {}, *path), hint)
        for path, message, hint in mistakes(WeightRules, section)
    ]
    if found:
        raise WeightsError(*found)
    return convert(spelt_out(WeightRules, section), WeightRules)


def span_at(spans: Mapping[str, Span], *path: str) -> Span | None:
    """The span of the innermost part of `path` that has one."""
    inward = (".".join(path[:end]) for end in range(len(path), -1, -1))
    return next((spans[key] for key in inward if key in spans), None)
