"""What is added to scores: `slopes[h] * (k - q)` to a rule over the indices b, h, q, k."""

from __future__ import annotations

from functools import reduce

from archspec.components.slots import PairRule
from archspec.dims import num as n
from archspec.dims.evaluate import EvalError
from archspec.dims.expr import Binary, Call, Conditional, Expr, Index, Literal, Name, Unary, children, names
from archspec.dims.num import Num
from archspec.errors import did_you_mean
from archspec.ir.score import ARITHMETIC, FUNCTIONS
from archspec.lowering.frame import Frame
from archspec.lowering.pairs import INDICES, Terms

CALLS = (*FUNCTIONS, "clamp", "relative")
ZERO = Literal(0)


def is_rule(expr: Expr) -> bool:
    """Whether an expression is about pairs, and not about whole tensors: it computes with b, h, q or k."""
    if isinstance(expr, Call) and expr.function == "relative":
        return True
    parts = expr.items if isinstance(expr, Index) else children(expr)
    return any(is_rule(part) or (isinstance(part, Name) and part.id in INDICES) for part in parts)


def read_score(frame: Frame, expr: Expr) -> PairRule | None:
    """The rule, its sugar written out, with the numbers and tensors it names; None where it adds nothing.

    Raises `EvalError`, `Broken`.
    """
    reader = _Reader(frame)
    written = reader.term(expr)
    if written == ZERO:
        return None
    return PairRule(written, tuple(reader.numbers.items()), tuple(reader.tensors.items()))


class _Reader(Terms):
    def __init__(self, frame: Frame) -> None:
        super().__init__(frame, "a score", "c")

    def term(self, expr: Expr) -> Expr:
        """A number at each pair; 0 where it looks up a tensor that was left out."""
        match expr:
            case Name(id=name) if name in INDICES:
                return Name(name)
            case Literal(value=None):
                return ZERO
            case Conditional(test=t, then=a, orelse=b):
                return self.term(a) if self.truth(t) else self.term(b)
            case Binary(op="+" | "-" as op, left=a, right=b) if is_rule(expr):
                return _total(op, self.term(a), self.term(b))
            case _ if any(name in self.frame.left_out for name in names(expr)):
                return ZERO
            case Index() if not self.of_list(expr):
                return self.lookup(expr)
            case Call(function=function) if is_rule(expr) or function not in FUNCTIONS:
                return self.call(expr)
            case _ if is_rule(expr):
                return self.computed(expr)
            case _:
                return self.number(expr)

    def computed(self, expr: Expr) -> Expr:
        match expr:
            case Binary(op=op, left=a, right=b) if op in ARITHMETIC:
                return Binary(op, self.term(a), self.term(b))
            case Unary(op="-", operand=x):
                return Unary("-", self.term(x))
            case _:
                hint = f"made with {' '.join(ARITHMETIC)}; who sees whom is said by 'mask'"
                raise EvalError("N007", "a score is a number at each b, h, q and k", expr, hint)

    def call(self, call: Call) -> Expr:
        if call.function not in CALLS:
            name = Name(call.function, call.at, call.at + len(call.function))
            hint = did_you_mean(call.function, CALLS) or f"one of: {', '.join(CALLS)}"
            raise EvalError("N003", f"unknown function '{call.function}' in a score", name, hint)
        if call.function == "relative":
            return self.relative(call)
        if call.function == "clamp":
            return self.clamp(call)
        several = call.function in ("min", "max")
        if call.kwargs or (len(call.args) < 2 if several else len(call.args) != 1):
            shown = "two numbers or more" if several else "one number"
            raise EvalError("N003", f"'{call.function}' takes {shown}, not {len(call.args)}", call)
        return Call(call.function, tuple(map(self.term, call.args)))

    def clamp(self, call: Call) -> Expr:
        """`clamp(x, low, high)` is `min(max(x, low), high)`."""
        given = dict(zip(("x", "low", "high"), call.args, strict=False)) | dict(call.kwargs)
        if "x" not in given or len(call.args) > 3 or set(given) - {"x", "low", "high"}:
            raise EvalError("N003", "'clamp' takes a number, 'low' and 'high'", call)
        bounds = [(f, self.term(given[end])) for f, end in (("max", "low"), ("min", "high")) if end in given]
        return reduce(lambda x, bound: Call(bound[0], (x, bound[1])), bounds, self.term(given["x"]))

    def relative(self, call: Call) -> Expr:
        """`relative(t)` is `t[h, clamp(k - q, -far, far) + far]`: a number for each distance from -far on."""
        (table,) = call.args if len(call.args) == 1 and not call.kwargs else (None,)
        if not isinstance(table, Name):
            raise EvalError("N003", "'relative' takes the name of a table", call, "such as 'relative(rel)'")
        type_ = self.handle(table).type
        size = type_.shape[-1].value if type_.rank == 2 else None
        if not isinstance(size, int) or size % 2 == 0:
            message = (
                f"'relative' looks up [heads, 2*n + 1], a number for each distance from -n to n, not {type_}"
            )
            raise EvalError("N007", message, table, "see 'relative_bias'")
        half = _half(type_.shape[-1])
        far = half.expr if isinstance(half.expr, Literal) else self.named(half, "far")
        gap = Binary("-", Name("k"), Name("q"))
        near = Call("min", (Call("max", (gap, Unary("-", far))), far))
        return Index(Name(table.id), (Name("h"), Binary("+", near, far)))

    def lookup(self, expr: Index) -> Expr:
        name, handle = self.tensor(expr)
        if handle.type.dtype == "bool":
            raise EvalError("N007", f"{name} is {handle.type}: no numbers", expr, "cast it: 'cast(…, int64)'")
        return Index(Name(name), tuple(map(self.term, expr.items)))


def _total(op: str, a: Expr, b: Expr) -> Expr:
    """a + b or a - b, where either may be 0."""
    if ZERO not in (a, b):
        return Binary(op, a, b)
    return a if b == ZERO else b if op == "+" else Unary("-", b)


def _half(size: Num) -> Num:
    """n of 2*n + 1, as it is written there."""
    match size.expr:
        case Binary(
            op="+", left=Binary(op="*", left=Literal(value=2), right=written), right=Literal(value=1)
        ):
            return Num(n.whole(size // 2).value, written)
        case _:
            return size // 2
