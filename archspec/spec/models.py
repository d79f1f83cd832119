"""The shape of a spec document. The same models check documents and give editors their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct, field

Identifier: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
PresetName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
ModelName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=64)]
Text: TypeAlias = Annotated[str, Meta(max_length=2000)]
ParamValue: TypeAlias = bool | int | float | str | list[Any] | None
Kind: TypeAlias = Literal["int", "float", "bool", "str", "list", "init"]
Numbers: TypeAlias = float | str | list[Any]
Step: TypeAlias = str | dict[str, Any]
Body: TypeAlias = list[Step]
Fact: TypeAlias = int | dict[str, int]


class InputDecl(Struct, frozen=True, kw_only=True):
    """One input of the model."""

    type: Annotated[str, "A tensor type, such as `int64[B, S]`."]
    optional: Annotated[bool, "May be absent; only masks, losses and `otherwise(x, y)` may read it."] = False
    default: Annotated[str | None, "A tensor expression that stands in when the caller leaves it out."] = None
    when: Annotated[str | bool, "Whether the input exists at all."] = True


class Port(Struct, frozen=True, kw_only=True):
    """One input of a block."""

    type: Annotated[str, "A tensor type, such as `[B, S, hidden_size]`."]
    optional: Annotated[bool, "May be left out where the block is used."] = False


class Argument(Struct, frozen=True, kw_only=True):
    """One argument of a block."""

    type: Annotated[Kind, "What it may be."]
    default: Annotated[ParamValue, "What it is where a step does not say; may read params."] = None


class Block(Struct, frozen=True, kw_only=True):
    """A reusable module: what goes in, what it may be told, and its steps."""

    summary: Annotated[Text | None, "One sentence, shown in the emitted class."] = None
    closed: Annotated[
        bool, "Whether params and defaults of the document are unseen; always so in a part."
    ] = False
    args: Annotated[
        dict[Identifier, Kind | Argument],
        "Arguments and their kinds: `int`, `float`, `bool`, `str`, `list`, `init` (how weights "
        "start), or {type, default}.",
    ] = {}
    inputs: Annotated[
        dict[Identifier, str | Port] | None,
        "Named tensors and their types; the first one is the value that flows in.",
    ] = field(default=None, name="in")
    body: Annotated[Body, "Steps, top to bottom."]
    returns: Annotated[str | list[str] | None, "Names of the results; without it, the last value."] = None


class Expect(Struct, frozen=True, kw_only=True):
    """Facts that `archspec check` proves.

    Each is an exact number, or a mapping of run-time sizes to numbers with `value` (exact) or `max`.
    """

    params: Annotated[Fact | None, "Learned numbers, tied ones once."] = None
    active: Annotated[Fact | None, "Learned numbers that run for one token."] = None
    flops: Annotated[
        Fact | None, "FLOPs of a forward pass, attention in full: {B: 1, S: 1024, value: …}."
    ] = None
    presets: Annotated[dict[PresetName, dict[str, Fact]], "The same facts per preset."] = {}
    graphs: Annotated[dict[Identifier, dict[str, Fact]], "The same facts per part of the model."] = {}
    source: Annotated[Text | None, "Where the numbers were published."] = None


class Output(Struct, frozen=True, kw_only=True):
    """One result of the model."""

    of: Annotated[str, "The step whose value it is, or a tensor expression."]
    when: Annotated[str | bool, "Whether the output exists at all."] = True


class Tie(Struct, frozen=True, kw_only=True):
    """A tie that does not always hold."""

    to: Annotated[str, "The parameter that is stored."]
    when: Annotated[str | bool, "Whether the tie exists at all."] = True


class Images(Struct, frozen=True, kw_only=True):
    """How an image becomes an input [B, channels, height, width], and an output an image."""

    mean: Annotated[Numbers, "Taken off pixels from 0 to 1: one number, or one per channel."] = 0.0
    std: Annotated[Numbers, "What they are then divided by."] = 1.0
    resize: Annotated[
        Literal["nearest", "bilinear", "bicubic", "lanczos"] | None,
        "How an image of another size is fitted; without it, that is an error.",
    ] = None
    crop: Annotated[bool, "Fit the shorter side and keep the middle, instead of stretching the image."] = (
        False
    )


class Tokens(Struct, frozen=True, kw_only=True):
    """How a prompt becomes an input [B, S] of token ids."""

    length: Annotated[int | str | None, "How many ids every prompt has."] = None
    pad: Annotated[int | str | None, "The id that stands behind a prompt that is shorter."] = None
    mask: Annotated[Identifier | None, "The input that is 1 at ids of a prompt, 0 behind it."] = None


class Sample(Struct, frozen=True, kw_only=True):
    """How noise becomes data, step by step."""

    noisy: Annotated[Identifier, "The input that is noise at first, and data at last."]
    time: Annotated[Identifier, "The input that tells the step, the least noise first."]
    signal: Annotated[
        str, "The share of the data's variance that is left after each step of adding noise: [steps]."
    ]
    noise: Annotated[str | None, "The noise in `noisy`, from outputs and inputs."] = None
    velocity: Annotated[str | None, "Instead of it sqrt(signal) * noise - sqrt(1 - signal) * data."] = None
    clean: Annotated[str | None, "Instead of both, the data itself."] = None
    feed: Annotated[
        dict[Identifier, str], "Inputs computed from outputs, other inputs and what is sampled."
    ] = {}
    empty: Annotated[
        dict[Identifier, int | str | list[Any]],
        "What stands for no prompt: ids, by input. Guidance leads away from it.",
    ] = {}
    result: Annotated[Identifier | None, "The output to give instead of what is sampled."] = None
    sizes: Annotated[
        dict[Identifier, int | str], "Sizes known only at run time, unless the caller says others."
    ] = {}
    first: Annotated[int | str, "The step with the least noise that the model is asked about."] = 0


class Run(Struct, frozen=True, kw_only=True):
    """What a run needs beside the model: nothing here changes what the model computes."""

    images: Annotated[Images | None, "How images are read and written."] = None
    tokens: Annotated[Tokens | None, "How prompts are filled up."] = None
    sample: Annotated[Sample | None, "How the model makes data out of noise."] = None


class Part(Struct, frozen=True, kw_only=True):
    """Blocks for other documents to `use`."""

    archspec: Annotated[Literal[1], "Version of the language."]
    name: Annotated[ModelName, "The part's name: that of its file."]
    summary: Annotated[Text, "One sentence for people."] = ""
    source: Annotated[Text, "The paper or code it comes from."] = ""
    use: Annotated[list[str], "Further parts whose blocks these need."] = []
    blocks: Annotated[dict[Identifier, Block], "Modules that see only their arguments and inputs."]


class Document(Struct, frozen=True, kw_only=True):
    """A model architecture, version 1 of the language."""

    archspec: Annotated[Literal[1], "Version of the language."]
    name: Annotated[ModelName, "The model's name; the emitted class is called after it."]
    summary: Annotated[Text, "One sentence for people."] = ""
    source: Annotated[Text, "The paper or code it comes from."] = ""
    extends: Annotated[str | None, "A spec this one starts from: a path beside it, or a library name."] = None
    use: Annotated[list[str], "Parts whose blocks this spec uses: library names, or paths."] = []
    patch: Annotated[list[dict[str, Any]] | None, "Changes of structure to the extended spec."] = None
    params: Annotated[
        dict[Identifier, ParamValue], "Named numbers, words and lists; expressions may use other names."
    ] = {}
    presets: Annotated[dict[PresetName, dict[Identifier, ParamValue]], "Named sets of params."] = {}
    defaults: Annotated[dict[Identifier, dict[str, Any]], "Arguments every step of an op starts from."] = {}
    inputs: Annotated[dict[Identifier, str | InputDecl], "What the model takes."]
    stream: Annotated[
        Identifier | None, "The size that grows while decoding; `past` counts the tokens already seen."
    ] = None
    blocks: Annotated[dict[Identifier, Block], "Reusable modules."] = {}
    model: Annotated[Body, "The steps of the model."]
    outputs: Annotated[
        dict[Identifier, str | Output], Meta(min_length=1), "What the model gives: output name to step name."
    ]
    graphs: Annotated[
        dict[Identifier, list[str]], "Parts of the model that can be built alone, each by its outputs."
    ] = {}
    graph: Annotated[Identifier | None, "The one of `graphs` that is meant; all if absent."] = None
    tie: Annotated[dict[str, str | Tie], "Parameters that are one: alias to owner, or {to, when}."] = {}
    losses: Annotated[
        dict[Identifier, str | dict[str, Any]],
        "Scalars to minimise: {op, …}, a tensor expression, or {of, feed, when}.",
    ] = {}
    weights: Annotated[
        dict[Identifier, dict[str, Any]], "How published checkpoints name the parameters."
    ] = {}
    run: Annotated[Run, "How images and prompts are read, and how noise becomes data."] = Run()
    expect: Annotated[Expect, "Facts that `archspec check` proves."] = Expect()
