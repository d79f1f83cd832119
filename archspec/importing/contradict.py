"""Why no params give a field what a configuration says, in words."""

from __future__ import annotations

from archspec.dims.evaluate import EvalError, evaluate
from archspec.dims.expr import write
from archspec.errors import Diagnostic
from archspec.importing.equations import Equation, constant
from archspec.importing.fields import reads, words
from archspec.importing.solve import Contradiction


def describe(found: Contradiction, spec: str, demanded: tuple[Equation, ...]) -> Diagnostic:
    """The finding C004 about one field."""
    equation = found.equation
    if equation.about == "there":
        message = f"'{equation.path}' has no meaning beside the other fields"
    elif equation.about == "absent":
        message = f"'{equation.path}' is left out, and the other fields ask for it"
    elif equation.about == "own":
        message = (
            f"'{equation.path}' is left out, and means {write(equation.right)}, {_otherwise(found, spec)}"
        )
    elif equation.about == "derived":
        message = f"'{equation.path}' does not go with the other fields: {_derived(found, spec)}"
    else:
        message = f"'{equation.path}' is {write(equation.right)}, {_otherwise(found, spec)}"
    return Diagnostic("C004", message, equation.span, _hint(found, demanded))


def _derived(found: Contradiction, spec: str) -> str:
    """What a param is by the file, and what the params it is derived from make it."""
    name, rule = write(found.equation.left), write(found.equation.right)
    if found.unknown is not None:
        return f"no '{found.unknown}' of '{spec}' makes '{name}' what '{rule}' is"
    told = write(constant(evaluate(found.equation.left, found.known.__getitem__)))
    try:
        made = write(constant(evaluate(found.equation.right, found.known.__getitem__)))
    except EvalError as error:
        return f"'{name}' is {told}, and '{rule}' cannot be computed: {error.message}"
    return f"'{name}' is {told}, and '{rule}' is {made}"


def _otherwise(found: Contradiction, spec: str) -> str:
    if not reads(found.equation.left):
        return f"and '{spec}' is the model with {write(found.equation.left)}"
    if found.unknown is not None:
        return f"which no '{found.unknown}' of '{spec}' gives"
    try:
        value = evaluate(found.equation.left, found.known.__getitem__)
    except EvalError as error:
        return f"which cannot be compared: {error.message}"
    return f"and the other fields make it {write(constant(value))}"


def _hint(found: Contradiction, demanded: tuple[Equation, ...]) -> str | None:
    equation = found.equation
    if equation.about == "derived":
        name = write(equation.left)
        return f"if files may set '{name}' by itself, list it under 'free' in the 'import' of the weight map"
    if len(options := words(equation.left)) > 1:
        return f"it can be {', '.join(options)}"
    read = reads(equation.left)
    others = [each.path for each in demanded if each.path != equation.path and {*reads(each.left)} & {*read}]
    if others and found.unknown is None:
        return f"the same params stand behind {', '.join(dict.fromkeys(others))}"
    return None
