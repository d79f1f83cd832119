"""The shape of a spec document. The same models check documents and give editors their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Identifier: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
PresetName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)
]
ModelName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=64)]
Text: TypeAlias = Annotated[str, StringConstraints(max_length=2000)]
ParamValue: TypeAlias = bool | int | float | str | list[Any] | None
Kind: TypeAlias = Literal["int", "float", "bool", "str", "list"]
Step: TypeAlias = str | dict[str, Any]
Body: TypeAlias = list[Step]


class Strict(BaseModel):
    """Nothing is guessed: unknown keys are refused, and `yes` is no boolean."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class InputDecl(Strict):
    """One input of the model."""

    type: str = Field(description="A tensor type, such as `int64[B, S]`.")
    optional: bool = Field(
        False, description="May be absent; only masks, losses and `otherwise(x, y)` may read it."
    )
    default: str | None = Field(
        None, description="A tensor expression that stands in when the caller leaves it out."
    )
    when: str | bool = Field(True, description="Whether the input exists at all.")


class Port(Strict):
    """One input of a block."""

    type: str = Field(description="A tensor type, such as `[B, S, hidden_size]`.")
    optional: bool = Field(False, description="May be left out where the block is used.")


class Argument(Strict):
    """One argument of a block."""

    type: Kind = Field(description="What it may be.")
    default: ParamValue = Field(None, description="What it is where a step does not say; may read params.")


class Block(Strict):
    """A reusable module: what goes in, what it may be told, and its steps."""

    summary: Text | None = Field(None, description="One sentence, shown in the emitted class.")
    closed: bool = Field(
        False, description="Whether params and defaults of the document are unseen; always so in a part."
    )
    args: dict[Identifier, Kind | Argument] = Field(
        default_factory=dict,
        description="Arguments and their kinds: `int`, `float`, `bool`, `str`, `list`, or {type, default}.",
    )
    inputs: dict[Identifier, str | Port] | None = Field(
        None,
        alias="in",
        description="Named tensors and their types; the first one is the value that flows in.",
    )
    body: Body = Field(description="Steps, top to bottom.")
    returns: str | list[str] | None = Field(
        None, description="Names of the results; without it, the last value."
    )


class Expect(Strict):
    """Facts that `archspec check` proves."""

    params: int | None = Field(None, description="Learned numbers, tied ones once.")
    presets: dict[PresetName, dict[str, int]] = Field(
        default_factory=dict, description="The same facts per preset."
    )
    graphs: dict[Identifier, dict[str, int]] = Field(
        default_factory=dict, description="The same facts per part of the model."
    )
    source: Text | None = Field(None, description="Where the numbers were published.")


class Output(Strict):
    """One result of the model."""

    of: str = Field(description="The step whose value it is, or a tensor expression.")
    when: str | bool = Field(True, description="Whether the output exists at all.")


class Tie(Strict):
    """A tie that does not always hold."""

    to: str = Field(description="The parameter that is stored.")
    when: str | bool = Field(True, description="Whether the tie exists at all.")


class Part(Strict):
    """Blocks for other documents to `use`."""

    archspec: Literal[1] = Field(description="Version of the language.")
    name: ModelName = Field(description="The part's name: that of its file.")
    summary: Text = Field("", description="One sentence for people.")
    source: Text = Field("", description="The paper or code it comes from.")
    use: list[str] = Field(default_factory=list, description="Further parts whose blocks these need.")
    blocks: dict[Identifier, Block] = Field(description="Modules that see only their arguments and inputs.")


class Document(Strict):
    """A model architecture, version 1 of the language."""

    archspec: Literal[1] = Field(description="Version of the language.")
    name: ModelName = Field(description="The model's name; the emitted class is called after it.")
    summary: Text = Field("", description="One sentence for people.")
    source: Text = Field("", description="The paper or code it comes from.")
    extends: str | None = Field(
        None, description="A spec this one starts from: a path beside it, or a library name."
    )
    use: list[str] = Field(
        default_factory=list,
        description="Parts whose blocks this spec uses: library names, or paths.",
    )
    patch: list[dict[str, Any]] | None = Field(None, description="Changes of structure to the extended spec.")
    params: dict[Identifier, ParamValue] = Field(
        default_factory=dict, description="Named numbers, words and lists; expressions may use other names."
    )
    presets: dict[PresetName, dict[Identifier, ParamValue]] = Field(
        default_factory=dict, description="Named sets of params."
    )
    defaults: dict[Identifier, dict[str, Any]] = Field(
        default_factory=dict, description="Arguments every step of an op starts from."
    )
    inputs: dict[Identifier, str | InputDecl] = Field(description="What the model takes.")
    stream: Identifier | None = Field(
        None, description="The size that grows while decoding; `past` counts the tokens already seen."
    )
    blocks: dict[Identifier, Block] = Field(default_factory=dict, description="Reusable modules.")
    model: Body = Field(description="The steps of the model.")
    outputs: dict[Identifier, str | Output] = Field(
        min_length=1, description="What the model gives: output name to step name."
    )
    graphs: dict[Identifier, list[str]] = Field(
        default_factory=dict, description="Parts of the model that can be built alone, each by its outputs."
    )
    graph: Identifier | None = Field(None, description="The one of `graphs` that is meant; all if absent.")
    tie: dict[str, str | Tie] = Field(
        default_factory=dict, description="Parameters that are one: alias to owner, or {to, when}."
    )
    losses: dict[Identifier, str | dict[str, Any]] = Field(
        default_factory=dict,
        description="Scalars to minimise: {op, …}, a tensor expression, or {of, feed, when}.",
    )
    weights: dict[Identifier, dict[str, Any]] = Field(
        default_factory=dict, description="How published checkpoints name the parameters."
    )
    expect: Expect = Field(
        default_factory=lambda: Expect(params=None, source=None),
        description="Facts that `archspec check` proves.",
    )
