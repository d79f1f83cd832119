"""Latent diffusion as one system: its parts from a folder of several checkpoints, and its training step."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archspec
from tests.parity.compare import Expected
from tests.parity.draw import generator
from tests.parity.rig import doubled
from tests.pipelines.systems import latent_system, saved

diffusers: Any = importlib.import_module("diffusers")
PARAMS: dict[str, object] = {
    "vocab_size": 43, "max_positions": 17, "text_hidden_size": 20, "text_intermediate_size": 30,
    "text_num_layers": 2, "text_num_heads": 4, "channels": [12, 18, 24, 24], "num_res_blocks": 1,
    "num_heads": 3, "groups": 3, "vae_channels": [6, 12, 12, 18], "vae_res_blocks": 1,
}  # fmt: skip
System = dict[str, Any]


@pytest.fixture(scope="module")
def system() -> System:
    return latent_system(text_layers=2)


@pytest.fixture(scope="module")
def folder(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(system, tmp_path_factory.mktemp("system"))


def ours(folder: Path, graph: str | None, attention: str = "sdpa") -> Any:
    return archspec.compile("sd15", overrides=PARAMS, graph=graph, weights=folder, attention=attention)


def inputs() -> dict[str, Tensor]:
    random = generator("system")

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    return {
        "input_ids": torch.randint(43, (2, 9), generator=random), "timestep": torch.tensor([3, 700]),
        "pixel_values": normal(2, 3, 128, 64), "latents": normal(2, 4, 16, 8),
        "latent_noise": normal(2, 4, 16, 8), "noise": normal(2, 4, 16, 8),
    }  # fmt: skip


def reference(system: System, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the library's classes compute, and their training step by its scheduler."""
    dtype = next(system["vae"].parameters()).dtype
    given = {name: x.to(dtype) if x.is_floating_point() else x for name, x in given.items()}
    schedule = diffusers.DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    with torch.no_grad():
        found = system["vae"].encode(given["pixel_values"]).latent_dist
        encoded = (found.mean + found.std * given["latent_noise"]) * system["vae"].config.scaling_factor
        noisy = schedule.add_noise(encoded, given["noise"], given["timestep"])
        context = system["text_encoder"](given["input_ids"]).last_hidden_state
        return {
            "moments": found.parameters,
            "image": system["vae"].decode(given["latents"]).sample,
            "noise_found": system["unet"](noisy, given["timestep"], context).sample,
        }


def expected(system: System) -> Expected:
    exact = {name: doubled(model) for name, model in system.items()}
    return Expected.measured(reference(system, inputs()), reference(exact, inputs()))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(
    ("graph", "takes", "output"),
    [
        ("vae_encoder", ["pixel_values"], "moments"),
        ("vae_decoder", ["latents"], "image"),
        ("training", ["input_ids", "timestep", "pixel_values", "latent_noise", "noise"], "noise_found"),
    ],
)
def test_each_part_equals_its_reference(
    system: System, folder: Path, graph: str, takes: list[str], output: str, attention: str
):
    given, wanted = inputs(), expected(system)
    with torch.no_grad():
        got = ours(folder, graph, attention)(**{name: given[name] for name in takes})
    alone = Expected({output: wanted.values[output]}, {output: wanted.noise[output]})
    assert alone.excess({output: got}) <= 1


def test_the_training_step_has_a_loss_and_gradients_for_the_denoiser(system: System, folder: Path):
    given = inputs()
    model = ours(folder, "training")
    loss = model.loss(**{name: x for name, x in given.items() if name != "latents"})
    found = expected(system).values["noise_found"]
    torch.testing.assert_close(loss, (found - given["noise"]).square().mean(), rtol=1e-5, atol=1e-5)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.unet.parameters())


def test_the_whole_is_exported_as_folders_that_the_libraries_load(
    system: System, folder: Path, tmp_path: Path
):
    archspec.export_hf(ours(folder, None), "sd15", tmp_path / "out", overrides=PARAMS)
    kinds: dict[str, Any] = {name: type(model) for name, model in system.items()}
    for name, kind in kinds.items():
        again: nn.Module = kind.from_pretrained(tmp_path / "out" / name)
        state = system[name].state_dict()
        assert again.state_dict().keys() == state.keys()
        assert all(torch.equal(tensor, state[key]) for key, tensor in again.state_dict().items())


def test_a_part_of_a_checkpoint_is_not_exported(folder: Path, tmp_path: Path):
    with pytest.raises(archspec.ArchspecError, match="W052"):
        archspec.export_hf(
            ours(folder, "vae_encoder"), "sd15", tmp_path, overrides=PARAMS, graph="vae_encoder"
        )
    assert not list(tmp_path.iterdir())
