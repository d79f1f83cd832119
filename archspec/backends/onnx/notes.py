"""What a model says of its state to whoever runs it."""

from __future__ import annotations

import json

from archspec.backends.onnx.naming import is_outer
from archspec.backends.onnx.ports import Ports

KEY = "archspec.states"


def notes(ports: Ports) -> dict[str, str]:
    """`archspec.states`: a list in JSON with one entry for each tensor of state.

    `state` is the same in each graph of a model; `input` and `output` are names, null where the graph does
    not take or give it. `kind` is `append` (it grows along `axis`, and is empty at first), `hold` (computed
    once) or `recall`: what each step leaves to the next, filled with `start` at first. Where `start` is null,
    any numbers do: the model starts it by itself.
    """
    names = {value.name for value in ports.inputs.values() if value.uses()}
    form, states = ports.form, ports.states
    given = {key: form.past_name(key[0], states.declared[key[0]], key[1]) for key in states.given}
    left = {key: form.present_name(key[0], states.declared[key[0]], key[1]) for key in states.left}
    found: list[dict[str, object]] = []
    for key in dict.fromkeys([*given, *left]):
        state = states.declared[key[0]]
        if is_outer(key[0], state):
            continue
        taken = given.get(key) if given.get(key) in names else None
        entry: dict[str, object] = {"state": f"{key[0]}.{key[1]}", "kind": state.kind}
        entry |= {"input": taken, "output": left.get(key)}
        entry |= {"axis": state.axis} if state.kind == "append" else {}
        entry |= {"start": states.starts.get(key[0])} if state.kind == "recall" else {}
        found += [entry] if taken or key in left else []
    return {KEY: json.dumps(found)} if found else {}


__all__ = ["KEY", "notes"]
