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
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from archspec.errors import Diagnostic, Span, WeightsError, did_you_mean

Library = Literal["transformers", "diffusers"]
Axis = Annotated[int, Field(ge=0, strict=True)]
Size = Annotated[int, Field(ge=1, strict=True)]
Count = Annotated[int, Field(ge=0, strict=True)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _ShortForm(_Model):
    """A rule that may be written as a plain list, which then fills its field `short`."""

    short: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: object) -> object:
        return {cls.short: cast("object", value)} if isinstance(value, list | tuple) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        long = handler(core)
        return {"anyOf": [long, handler.resolve_ref_schema(long)["properties"][cls.short]]}


class SplitRule(_ShortForm):
    """One of our tensors is several of the hub's, cut along an axis."""

    short: ClassVar[str] = "into"
    into: tuple[str, ...] = Field(
        min_length=2, description="The parts in order; each replaces the last segment."
    )
    axis: Axis = Field(default=0, description="The axis of our tensor that is cut.")
    sizes: tuple[Size, ...] | None = Field(
        default=None, description="Lengths of the parts. Equal parts if absent."
    )


class FuseRule(_ShortForm):
    """Several of our tensors are one of the hub's, concatenated along an axis."""

    short: ClassVar[str] = "from"
    parts: tuple[str, ...] = Field(
        alias="from", min_length=2, description="The parts in order; each replaces the last segment."
    )
    axis: Axis = Field(default=0, description="The axis along which the parts are concatenated.")


class RopeRule(_Model):
    """Rows of a query or key projection, whose rotary pairs lie differently in the hub's tensor."""

    head_dim: Size = Field(description="Rows per head.")
    rotary_dim: Size | None = Field(
        default=None, description="Rotated rows of each head. All of them if absent."
    )
    hub: Literal["interleaved", "half"] = Field(
        default="interleaved",
        description="The hub pairs rows 2i and 2i+1 (interleaved), or i and i + rotary_dim/2 (half).",
    )
    axis: Axis = Field(default=0, description="The axis that holds heads times head_dim.")


class ReorderRule(_ShortForm):
    """The same chunks along an axis, in another order."""

    short: ClassVar[str] = "order"
    order: tuple[Count, ...] = Field(
        min_length=2, description="Chunk i of the hub's tensor is chunk order[i] of ours."
    )
    sizes: tuple[Size, ...] | None = Field(
        default=None, description="Lengths of our chunks. Equal chunks if absent."
    )
    axis: Axis = Field(default=0, description="The axis that is cut into chunks.")


class InterleaveRule(_Model):
    """Ours is [q; k; v] as chunks, the hub's repeats a little of each for every group: [groups, parts, d]."""

    groups: Size = Field(description="How often the pattern repeats: heads, key-value heads, channels.")
    parts: Size | tuple[Size, ...] = Field(
        description="The number of equal parts, or each part's share of a group: [n, 1, 1] for n queries."
    )
    axis: Axis = Field(default=0, description="The axis that is interleaved.")


class ImportRules(_Model):
    """What a published config.json may say besides `config`; only `archspec import` reads this."""

    defaults: dict[str, JsonValue] = Field(
        default={},
        description="What the hub's library takes for a field that is left out or null, an expression of "
        "params. A field that is not in `config` must have this value.",
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="Fields that cannot change what this model computes, whatever they say."
    )
    accept: dict[str, str] = Field(
        default={}, description="Other spellings: a field of the file, to the field it is read in place of."
    )


_PATTERNS = "Run of hub-name segments to "


class WeightRules(_Model):
    """One checkpoint format of a model: names, layouts and the hub's own configuration."""

    class_: str | None = Field(
        default=None, alias="class", description="The hub's architecture class, for config.json."
    )
    library: Library = Field(
        default="transformers", description="Whose folder it is: names of files, form of config.json."
    )
    graph: str | None = Field(default=None, description="The part of the model it holds: one of `graphs`.")
    folder: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", description="Its place beside others."
    )
    config: dict[str, JsonValue] = Field(default={}, description="Written to config.json on export.")
    import_: ImportRules = Field(
        default=ImportRules(), alias="import", description="What else a config.json may say that is imported."
    )
    rename: dict[str, str] = Field(
        default={}, description="Our name prefix to hub prefix. The first rule that fits a name rewrites it."
    )
    segments: dict[str, str] = Field(
        default={},
        description="Runs of segments rewritten in what `rename` left of a name, longest first.",
    )
    stack: dict[str, str] = Field(
        default={},
        description="Several of ours, `experts.*.w`, to one of the hub's with a new first axis: `experts.w`.",
    )
    fuse: dict[str, FuseRule] = Field(
        default={}, description=_PATTERNS + "the tensors of ours that it concatenates."
    )
    split: dict[str, SplitRule] = Field(
        default={}, description=_PATTERNS + "the tensors that it becomes in the hub."
    )
    unstack: dict[str, str] = Field(
        default={},
        description="One of ours, `experts.w`, is one per index of its first axis in the hub: `experts.*.w`.",
    )
    rope: dict[str, RopeRule] = Field(default={}, description=_PATTERNS + "how its rotary pairs lie.")
    reorder: dict[str, ReorderRule] = Field(default={}, description=_PATTERNS + "the order of its chunks.")
    interleave: dict[str, InterleaveRule] = Field(
        default={}, description=_PATTERNS + "how its chunks alternate."
    )
    reshape: dict[str, tuple[int, ...]] = Field(
        default={}, description=_PATTERNS + "the hub's shape; one size may be -1."
    )
    transpose: tuple[str, ...] = Field(
        default=(), description="Tensors of 2 or 3 axes that the hub stores with the last two exchanged."
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="Hub tensors that this model has no use for, present or not. Never written."
    )
    alias: dict[str, str] = Field(
        default={},
        description="Full hub names of tied tensors that files may repeat, to the name they repeat.",
    )
    accept: dict[str, str] = Field(
        default={},
        description="Spellings of older files, read and never written: run of segments to the present one.",
    )
    base_prefix: str | None = Field(
        default=None,
        description="First segments that files of the bare model leave out. Read without, written with.",
    )


def read_rules(section: Mapping[str, object], spans: Mapping[str, Span] | None = None) -> WeightRules:
    """The rules of one evaluated section. `spans` maps dotted paths, `rename.h.*`, to places in the spec.

    Raises WeightsError W001 with every mistake of form.
    """
    try:
        return WeightRules.model_validate(section)
    except ValidationError as error:
        found = [_diagnostic(dict(item), spans or {}) for item in error.errors(include_url=False)]
        raise WeightsError(*found) from error


def span_at(spans: Mapping[str, Span], *path: str) -> Span | None:
    """The span of the innermost part of `path` that has one."""
    inward = (".".join(path[:end]) for end in range(len(path), -1, -1))
    return next((spans[key] for key in inward if key in spans), None)


def _diagnostic(item: dict[str, Any], spans: Mapping[str, Span]) -> Diagnostic:
    path = [str(part) for part in item["loc"]]
    if item["type"] != "extra_forbidden":
        return Diagnostic("W001", f"weights.{'.'.join(path)}: {item['msg']}", span_at(spans, *path))
    words = [info.alias or name for name, info in _fields(path).items()]
    hint = did_you_mean(path[-1], words) or f"known: {', '.join(words)}"
    return Diagnostic("W001", f"weights.{'.'.join(path)} is not known", span_at(spans, *path), hint)


def _fields(path: list[str]) -> Mapping[str, Any]:
    rules = {"split": SplitRule, "fuse": FuseRule, "rope": RopeRule, "reorder": ReorderRule}
    kind = {**rules, "interleave": InterleaveRule}.get(path[0]) if len(path) > 1 else None
    return (kind or WeightRules).model_fields
