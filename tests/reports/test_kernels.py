"""What is said of kernels is what the plan says, and the files are those that a model imports."""

from archspec import api, api_kernels
from archspec.reports.kernels import structures
from archspec.reports.table import render

SMALL = {"vocab_size": 60, "hidden_size": 32, "num_layers": 4, "num_heads": 2}
WINDOWED = api.load("longformer", overrides={**SMALL, "windows": 64})


def test_a_file_for_each_structure_whatever_its_numbers():
    """Layers with windows of several widths share their file."""
    spec = api.load("longformer", overrides={**SMALL, "windows": [16, 32, 16, 64]})
    assert api.kernels(spec) == api.kernels(WINDOWED)
    assert len(api.kernels(spec)) == 2


def test_a_model_imports_its_files_and_no_others():
    source = api.source(WINDOWED, attention="triton")
    imported = {line.split()[1] for line in source.splitlines() if line.startswith("from attention_")}
    assert imported == {name.removesuffix(".py") for name in api.kernels(WINDOWED)}


def test_every_attention_has_its_file():
    found = structures(api.lower(WINDOWED))
    assert [(len(x.sites), sum(site.runs for site in x.sites)) for x in found] == [(1, 4), (1, 4)]


def test_tiles_are_counted_where_sizes_are_given():
    text = render(api_kernels.kernel_tables(WINDOWED, {"B": 1, "S": 1024}), "text")
    assert "tiles at 1,024 × 1,024  30 of 128, 0 of them whole, and 98 where data picks" in text
    assert "tiles at" not in render(api_kernels.kernel_tables(WINDOWED), "text")


def test_a_picture_has_a_line_for_each_16th_of_the_queries():
    """A window of 12 each way, in places of 4 queries by 2 keys."""
    spec = api.load("longformer", overrides={**SMALL, "windows": 24})
    table, _ = api_kernels.kernel_tables(spec, {"B": 1, "S": 64})
    first, *rest = [row.values[0] for row in table.rows][-16:]
    assert first == "======++" + "?" * 24
    assert rest[7] == "?" * 10 + "++==========++" + "?" * 8
    assert len(rest) == 15
    assert "picture: # each pair counts" in render([table], "text")


def test_what_is_visited_shows_as_it_is_written():
    text = render(api_kernels.kernel_tables(WINDOWED), "text")
    assert "(abs(q - k) <= reach or is_global[b, k]) and is_token[b, k]" in text
    assert "max(min(first - reach, K), 0) // N" in text
    assert "note: data decides: is_global[b, k]" in text


def test_a_model_without_attention_has_no_kernels():
    assert api.kernels("mamba") == {}
    assert api_kernels.kernel_tables("mamba") == []
