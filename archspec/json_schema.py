"""The JSON Schema of a spec document, for editors: made from the models that check documents.

It is wider than the language, never narrower: names, shapes and what belongs together are left to
`archspec check`, which knows them.
"""

from __future__ import annotations

import inspect
from typing import Any, TypeAlias, cast

from archspec.components import COMPONENTS, Component, fields
from archspec.components import loss as losses
from archspec.dims.num import Num
from archspec.spec.json_models import pydantic_model
from archspec.spec.models import Document, Part
from archspec.spec.tree import SCOPES
from archspec.weights.form import described
from archspec.weights.rules import WeightRules

Schema: TypeAlias = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TENSOR: Schema = {
    "type": ["string", "object"],
    "description": "A step's name, an expression, or {branch: [steps]}.",
}
_WHEN: Schema = {"type": ["string", "boolean"], "description": "Whether the step exists, by params."}
_NUMBER: Schema = {"type": ["integer", "string"], "description": "A whole number, or an expression."}
_COMMON: Schema = {"in": _TENSOR, "when": _WHEN}
_RECUR: Schema = {"recur": {"type": "object"}, "over": {"type": "object"}, "axis": _NUMBER}
_SCOPES = ("op", *SCOPES, "body")


def schema() -> Schema:
    """A JSON Schema (2020-12) that every valid document meets: specs, and parts for them to use."""
    out = _spec()
    part = _tidy(pydantic_model(Part).model_json_schema())
    del part["$defs"]
    defs = out.pop("$defs") | {"Spec": out, "Part": part}
    is_part = {"not": {"anyOf": [{"required": ["model"]}, {"required": ["extends"]}]}, "required": ["blocks"]}
    chosen = {"if": is_part, "then": _ref("Part"), "else": _ref("Spec")}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": defs, **chosen}


def _spec() -> Schema:
    out = _tidy(pydantic_model(Document).model_json_schema())
    properties, defs = out["properties"], out["$defs"]
    defs |= _steps() | {"Weights": _rules()}
    block = defs["Block"]["properties"]
    block["body"], properties["model"] = (
        _body() | _described(part) for part in (block["body"], properties["model"])
    )
    properties["defaults"] |= {"properties": {word: _ref(f"{word} arguments") for word in COMPONENTS}}
    properties["losses"] |= {
        "additionalProperties": {"anyOf": [_TEXT, _objective(), *map(_loss, _loss_words())]}
    }
    properties["weights"] |= {"additionalProperties": _ref("Weights")}
    properties["patch"] |= {"anyOf": [{"type": "array", "items": _patch()}, {"type": "null"}]}
    out.pop("required")
    out["anyOf"] = [
        {"required": ["extends"]},
        {"required": ["archspec", "name", "inputs", "model", "outputs"]},
    ]
    return out


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _described(part: Schema) -> Schema:
    return {"description": part["description"]}


def _steps() -> Schema:
    """Definitions of bodies and steps, and of the arguments of each component."""
    words = {f"{word} arguments": _arguments(kind, word) for word, kind in COMPONENTS.items()}
    return words | {
        "Body": {"type": "array", "items": _ref("Step")},
        "Step": {"anyOf": [{"type": "string", "description": "An op without arguments."}, _named_step()]},
        "Steps": {"anyOf": [_body(), _ref("Step")]},
        "Value": {"anyOf": _values(), "description": "What stands behind a step's name."},
        "Residual": _either_body(
            {"body": _body(), "shortcut": _ref("Steps"), "scale": _number(), "when": _WHEN}
        ),
        "Parallel": _either_body(
            {"branches": _branches(), "join": {"enum": ["add", "mul", "concat"]}, "when": _WHEN}, _branches()
        ),
        "Push": {"anyOf": [_TEXT, _object({"to": _TEXT, "value": _TENSOR, "when": _WHEN}, "to")]},
    }


def _named_step() -> Schema:
    """One key: a scope, a component with its arguments, or a name with what it names."""
    scopes = {word: _ref(word.capitalize()) for word in ("residual", "parallel", "push")}
    words = {word: {"anyOf": [_ref(f"{word} arguments"), _ref("Value")]} for word in COMPONENTS}
    block = {
        "type": "object",
        "not": {"anyOf": [{"required": [key]} for key in _SCOPES]},
        "description": "A block.",
    }
    other = {"anyOf": [_ref("Value"), block]}
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": words | scopes,
        "additionalProperties": other,
    }


def _values() -> list[Schema]:
    """An op or an expression, a list of steps, a scope, a component or a block with `op`."""
    any_keys = {"type": "object"}
    block = {
        **any_keys,
        "properties": {"op": {"type": "string", "not": {"enum": list(COMPONENTS)}}},
        "required": ["op"],
    }
    return [
        _TEXT,
        {"type": "null"},
        _body(),
        *({**_ref(f"{word} arguments"), "required": ["op"]} for word in COMPONENTS),
        block,
        _object({"body": _body(), **_COMMON}, "body"),
        _object({"branch": _body(), **_COMMON}, "branch"),
        *(
            _object({word: _ref(word.capitalize()), "when": _WHEN}, word)
            for word in ("residual", "parallel", "push")
        ),
        {**any_keys, "properties": {"call": _TEXT, **_COMMON}, "required": ["call"]},
        {
            **any_keys,
            "properties": {"repeat": _NUMBER, "body": _body(), "block": _TEXT, "vary": any_keys, **_COMMON},
            "required": ["repeat"],
        },
        {
            **any_keys,
            "properties": {
                "experts": _NUMBER,
                "weights": _TENSOR,
                "body": _body(),
                "block": _TEXT,
                "vary": any_keys,
                **_COMMON,
            },
            "required": ["experts", "weights"],
        },
        {
            **any_keys,
            "properties": {"each": any_keys, "body": _body(), **_COMMON},
            "required": ["each", "body"],
        },
        _object({**_RECUR, "body": _body(), **_COMMON}, "recur", "body"),
    ]


def _arguments(kind: type[Component], word: str) -> Schema:
    """The arguments of a component. None is required: `defaults` may give it."""
    return _group(kind, **_COMMON, op={"const": word})


def _group(kind: type[fields.Fields], **more: Schema) -> Schema:
    known = {name: _argument(argument) for name, argument in fields.arguments(kind).items()}
    return {**_object({**known, **more}), "description": inspect.getdoc(kind) or ""}


def _argument(argument: fields.Argument) -> Schema:
    choices = [_group(argument.nested)] if argument.nested else []
    if argument.words:
        choices.append({"enum": list(argument.words)})
    if not argument.nested:
        choices.append(_SLOTS[argument.slot.kind])
    if argument.nullable:
        choices.append({"type": "null"})
    default = argument.default.value if isinstance(argument.default, Num) else argument.default
    known = {"default": default} if isinstance(default, str | int | float) else {}
    return (choices[0] if len(choices) == 1 else {"anyOf": choices}) | known


_VALUE: Schema = {"type": ["number", "string"], "description": "A number, or an expression."}
_EXPRESSION: Schema = {"type": "string", "description": "An expression."}
_INITIAL = "normal(std), zeros, ones, uniform(a, b) …"
_SLOTS: dict[str, Schema] = {
    **dict.fromkeys(("int", "real", "extent", "int_or_word"), _VALUE),
    "word": _EXPRESSION,
    "flag": {"type": ["boolean", "string"]},
    "text": _TEXT,
    "tensor": _TENSOR,
    "mask": {**_TEXT, "description": "A boolean expression over b, h, q, k."},
    "score": {**_TENSOR, "description": "A tensor, or a number over b, h, q, k."},
    "init": {**_TEXT, "description": _INITIAL},
    "extents": {"type": ["array", "integer", "string"]},
    "extent_table": {"type": "object"},
}


def _loss_words() -> list[str]:
    return [word for word, kind in COMPONENTS.items() if kind.__module__ == losses.__name__]


def _objective() -> Schema:
    """A loss that is an expression, with what it feeds the model."""
    return _object({"of": _TEXT, "feed": {"type": "object"}, "when": _WHEN}, "of")


def _loss(word: str) -> Schema:
    """A loss: its arguments, and what is fed to the model for it."""
    made = _arguments(COMPONENTS[word], word)
    feed = {"type": "object", "description": "Model inputs computed from others, for this loss."}
    return {**made, "properties": {**made["properties"], "feed": feed}, "required": ["op"]}


def _rules() -> Schema:
    """The keys of the weight rules; their values may be expressions, or stand behind `when`."""
    return _object({key: {"description": text} for key, text in described(WeightRules).items()})


def _patch() -> Schema:
    places = {key: {"type": "string"} for key in ("at", "after", "before")}
    return _object({**places, "set": {}, "replace": {}, "insert": {}, "delete": {"const": True}})


def _body() -> Schema:
    return _ref("Body")


def _branches() -> Schema:
    return {"type": "array", "items": _ref("Steps")}


def _number() -> Schema:
    return {"type": ["number", "string"]}


def _either_body(properties: Schema, short: Schema | None = None) -> Schema:
    """A list of steps, or a mapping that holds them."""
    return {"anyOf": [short or _body(), _object(properties, next(iter(properties)))]}


def _object(properties: Schema, *required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _tidy(value: Any) -> Any:
    """Without the titles that pydantic makes of names; keys of a pattern are all that a table may have."""
    if isinstance(value, list):
        return [_tidy(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    table = {key: _tidy(inner) for key, inner in cast("Schema", value).items()}
    if isinstance(table.get("title"), str):
        del table["title"]
    for pattern, inner in table.pop("patternProperties", {}).items():
        table["propertyNames"] = {**table.get("propertyNames", {}), "pattern": pattern}
        table["additionalProperties"] = inner
    return table
