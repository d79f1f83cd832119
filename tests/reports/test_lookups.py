"""The tables that inputs are looked up in."""

import archspec
from archspec.reports.lookups import limits


def test_rows_of_tables_of_the_model_and_of_its_modules():
    assert limits(archspec.lower("gpt2")) == {"input_ids": 50257, "position_ids": 1024}
    assert limits(archspec.lower("t5")) == {"input_ids": 32128, "decoder_input_ids": 32128}
    assert limits(archspec.lower("bert")) == {"input_ids": 30522, "token_type_ids": 2}


def test_an_input_that_is_no_index_has_no_limit():
    assert limits(archspec.lower("vit")) == {}
