"""What emitted forward methods hold no longer than they must, in their words and on shapes."""

from pathlib import Path

import pytest

from archspec import api
from archspec.backends.torch.fake.trace import Inputs, Subject
from tests.backends.torch.emitted import document

HEAD = """
params: {d: 8, num: 1000}
inputs: {x: "[B, S, d]"}
model:
  - up: {op: linear, in: x, out: d}
  - act: {op: silu}
STEPS
outputs: {y: last}
"""
UNET: dict[str, object] = {
    "channels": [12, 18, 24, 24], "num_res_blocks": 1, "groups": 3, "num_heads": 3, "text_hidden_size": 20,
    "text_num_heads": 4, "vae_channels": [6, 12, 12, 18],
}  # fmt: skip  # four levels


def written(tmp_path: Path, steps: str) -> str:
    lines = "\n".join(f"  - {step}" for step in steps.split("; "))
    return api.source(document(tmp_path, HEAD.replace("STEPS", lines)), attention="sdpa")


def last_lines(source: str, count: int) -> list[str]:
    """The end of the model's forward method."""
    forward = source.rpartition("    def forward(")[2].partition("\n\n")[0]
    return [line.partition("  # ")[0].strip() for line in forward.splitlines()[-count:]]


def test_an_operand_takes_the_name_of_what_it_alone_reads(tmp_path: Path):
    steps = "h: {repeat: 2, body: [linear: {out: d}]}; norm: layernorm; last: {op: linear, out: num}"
    source = written(tmp_path, steps)
    assert last_lines(source, 2) == ["act = self.norm(act)", "return self.last(act)"]
    inputs: Inputs = {"x": ((2, 3, 8), "float32")}
    alive = Subject(source, "case").alive_at_peak(inputs)
    assert [(a.place, a.nbytes) for a in alive] == [("norm", 192), ("last", 24000)]


def test_the_sum_of_a_residual_has_a_name_of_its_own(tmp_path: Path):
    steps = "h: {repeat: 2, body: [linear: {out: d}]}; residual: [near: {op: linear, out: d}]"
    steps += "; last: {op: linear, out: num}"
    assert last_lines(written(tmp_path, steps), 1) == ["return self.last(act + self.near(act))"]


def test_a_u_net_lets_go_what_came_down():
    spec = api.load("sd15", graph="unet", overrides=UNET)
    source = api.source(spec, attention="sdpa")
    assert source.count("        del ") == source.count("        del x_2, skips_2, x_3, skips_3, x_4\n") == 1
    text, latents = ((1, 7, 20), "float32"), ((1, 4, 16, 16), "float32")
    inputs: Inputs = {"sample": latents, "timestep": ((1,), "int64"), "encoder_hidden_states": text}
    at_peak = {a.place.split(".layer")[0] for a in Subject(source, "unet").alive_at_peak(inputs)}
    assert "unet.up.3" in at_peak
    assert not at_peak & {"unet.down.1", "unet.down.2", "unet.down.3", "unet.up.0.upsample.conv"}


@pytest.mark.parametrize("name", ["gpt2", "bert", "t5", "llama"])
def test_most_models_need_no_del(name: str):
    assert "    del " not in api.source(name, attention="sdpa")
