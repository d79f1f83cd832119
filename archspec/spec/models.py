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
Kind: TypeAlias = Literal["int", "float", "bool", "str", "list", "init"]
Numbers: TypeAlias = float | str | list[Any]
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
        description="Arguments and their kinds: `int`, `float`, `bool`, `str`, `list`, `init` (how weights "
        "start), or {type, default}.",
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


class Images(Strict):
    """How an image becomes an input [B, channels, height, width], and an output an image."""

    mean: Numbers = Field(0.0, description="Taken off pixels from 0 to 1: one number, or one per channel.")
    std: Numbers = Field(1.0, description="What they are then divided by.")
    resize: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None = Field(
        None, description="How an image of another size is fitted; without it, that is an error."
    )
    crop: bool = Field(
        False, description="Fit the shorter side and keep the middle, instead of stretching the image."
    )


class Tokens(Strict):
    """How a prompt becomes an input [B, S] of token ids."""

    length: int | str | None = Field(None, description="How many ids every prompt has.")
    pad: int | str | None = Field(None, description="The id that stands behind a prompt that is shorter.")
    mask: Identifier | None = Field(None, description="The input that is 1 at ids of a prompt, 0 behind it.")


class Sample(Strict):
    """How noise becomes data, step by step."""

    noisy: Identifier = Field(description="The input that is noise at first, and data at last.")
    time: Identifier = Field(description="The input that tells the step, the least noise first.")
    signal: str = Field(
        description="The share of the data's variance that is left after each step of adding noise: [steps]."
    )
    noise: str | None = Field(None, description="The noise in `noisy`, from outputs and inputs.")
    velocity: str | None = Field(
        None, description="Instead of it sqrt(signal) * noise - sqrt(1 - signal) * data."
    )
    clean: str | None = Field(None, description="Instead of both, the data itself.")
    feed: dict[Identifier, str] = Field(
        default_factory=dict, description="Inputs computed from outputs, other inputs and what is sampled."
    )
    empty: dict[Identifier, int | str | list[Any]] = Field(
        default_factory=dict,
        description="What stands for no prompt: ids, by input. Guidance leads away from it.",
    )
    result: Identifier | None = Field(None, description="The output to give instead of what is sampled.")
    sizes: dict[Identifier, int | str] = Field(
        default_factory=dict, description="Sizes known only at run time, unless the caller says others."
    )
    first: int | str = Field(0, description="The step with the least noise that the model is asked about.")


class Run(Strict):
    """What a run needs beside the model: nothing here changes what the model computes."""

    images: Images | None = Field(None, description="How images are read and written.")
    tokens: Tokens | None = Field(None, description="How prompts are filled up.")
    sample: Sample | None = Field(None, description="How the model makes data out of noise.")


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
    run: Run = Field(
        default_factory=lambda: Run(images=None, tokens=None, sample=None),
        description="How images and prompts are read, and how noise becomes data.",
    )
    expect: Expect = Field(
        default_factory=lambda: Expect(params=None, source=None),
        description="Facts that `archspec check` proves.",
    )
