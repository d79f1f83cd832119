"""What names mean, region in region."""

import pytest

from archspec.dims import num as n
from archspec.ir.graph import Region
from archspec.ir.scope import Scope


def region(**bindings: int | str | None) -> Region:
    settings = ((k, n.num(v) if isinstance(v, int) else v) for k, v in bindings.items())
    return Region("r", "net", (), (), (), bindings=tuple(settings))


OUTER = Scope.of(("B", "S"), "S").inside(region(width=8, mode="gelu", nothing=None))
INNER = OUTER.inside(region(width=4, B=3))


def test_the_nearest_binding_counts():
    assert OUTER.lookup("width") == n.num(8)
    assert INNER.lookup("width") == n.num(4)
    assert str(INNER.lookup("width")) == "width"
    assert INNER.lookup("mode") == "gelu"
    assert INNER.lookup("nothing") is None


def test_sizes_of_the_run_stand_behind_all_bindings():
    assert OUTER.lookup("B") == n.symbol("B")
    assert INNER.lookup("B") == n.num(3)
    assert OUTER.lookup("past") == n.symbol("past")


def test_past_is_a_size_only_where_something_streams():
    with pytest.raises(KeyError):
        Scope.of(("B",), None).lookup("past")


def test_an_unknown_name_comes_with_the_known_ones():
    with pytest.raises(KeyError) as error:
        INNER.lookup("x")
    assert error.value.args[0] == ("width", "B", "mode", "nothing", "B", "S", "past")


def test_a_writing_tells_its_value_or_does_not():
    width = n.named("width", 8)
    assert OUTER.tells(width * 4)
    assert not INNER.tells(width * 4)
    assert not OUTER.tells(n.named("width", 8.0))
    assert not OUTER.tells(n.named("other", 8))
    assert not OUTER.tells(n.named("mode", 8))
