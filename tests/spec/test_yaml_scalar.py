"""What an unquoted word means: the tables and regular expressions of YAML 1.2.2, section 10.3.2."""

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archspec.errors import Source
from archspec.spec.node import Scalar, plain
from archspec.spec.yaml import load_text
from archspec.spec.yaml_scalar import Refusal, Value, resolve_plain

# Copied from the standard, in its order.
CORE: list[tuple[str, type]] = [
    (r"null | Null | NULL | ~", type(None)),
    (r"true | True | TRUE | false | False | FALSE", bool),
    (r"[-+]? [0-9]+", int),
    (r"0o [0-7]+", int),
    (r"0x [0-9a-fA-F]+", int),
    (r"[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?", float),
    (r"[-+]? ( \.inf | \.Inf | \.INF )", float),
    (r"\.nan | \.NaN | \.NAN", float),
]

NUMBER_LIKE = st.text(alphabet="0123456789+-.eExXoO_:abcdefinINFnaNA", min_size=1, max_size=8)
WORDS = """
    null Null NULL nULL ~ true True TRUE tRUE false yes no on off y n .inf -.INF .Nan .NaN 0o17 0x1F 0b1 0X1
    1_000 1:30 2001-01-01 1e-5 1e5 1. .5 . + - -. 1e +1 -0 0 00 0.0 01.5 1.2.3 ١٢ ² 1e+ = << 12e03 0o8 0xg
"""
WORD_LIKE = st.sampled_from(WORDS.split())


def by_the_standard(text: str) -> type:
    matching = (kind for pattern, kind in CORE if re.fullmatch(pattern, text, re.VERBOSE | re.ASCII))
    return next(matching, type(None) if text == "" else str)


@given(NUMBER_LIKE | WORD_LIKE | st.text(max_size=6))
@example("")
@example("1\n")
@example("9" * 5000)
@example("1e" + "9" * 5000)
@example("010")
def test_the_kind_of_a_word_is_that_of_the_core_schema(text: str):
    value, kind = resolve_plain(text), by_the_standard(text)
    if isinstance(value, Refusal):
        assert kind in (int, float)
        assert value.code in ("Y015", "Y016")
        assert (value.code == "Y015") == bool(re.fullmatch("[-+]?0[0-9]+", text, re.ASCII))
    else:
        assert type(value) is kind
        assert kind is not str or value == text


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_in_every_notation(number: int):
    assert resolve_plain(str(number)) == number
    assert resolve_plain(f"{number:+d}") == number
    assert resolve_plain(f"0x{abs(number) >> 1:x}") == abs(number) >> 1
    assert resolve_plain(f"0o{abs(number) >> 1:o}") == abs(number) >> 1


@given(st.integers(2**63, 2**80) | st.integers(-(2**80), -(2**63) - 1))
def test_integers_past_64_bits_are_refused(number: int):
    assert isinstance(resolve_plain(str(number)), Refusal)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_every_digit(number: float):
    value = resolve_plain(repr(number))
    assert (type(value), value, math.copysign(1, number)) == (
        float,
        number,
        math.copysign(1, float(repr(value))),
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        (".5", 0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("0o17", 15),
        ("0x1F", 31),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2001-12-14", "2001-12-14"),
        ("0b1", "0b1"),
        ("0X1F", "0X1F"),
        ("010.5", 10.5),
        ("0e0", 0.0),
    ],
)
def test_words_people_trip_over(text: str, value: Value):
    found = resolve_plain(text)
    assert (type(found), found) == (type(value), value)
    assert plain(load_text(Source("t.yaml", f"a: {text}\n"))) == {"a": value}


def test_nan():
    node = load_text(Source("t.yaml", ".nan"))
    assert isinstance(node, Scalar)
    assert isinstance(node.value, float)
    assert math.isnan(node.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("010", 'write 10 or 0o10, or "010" for a string'),
        ("00", 'write 0 or 0o0, or "00" for a string'),
        ("089", 'write 89, or "089" for a string'),
        ("+010", 'write +10, or "+010" for a string'),
    ],
)
def test_a_leading_zero_is_refused_with_what_to_write(text: str, hint: str):
    found = resolve_plain(text)
    assert isinstance(found, Refusal)
    assert (found.code, found.hint) == ("Y015", hint)


def test_a_quoted_word_is_a_string():
    assert plain(load_text(Source("t.yaml", "['010', \"1\", 'null', '']"))) == ["010", "1", "null", ""]


def test_a_message_about_a_long_number_is_short():
    found = resolve_plain("9" * 100_000)
    assert isinstance(found, Refusal)
    assert len(found.message) < 100
