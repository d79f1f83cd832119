"""What a spec says of sampling, as the configuration of a scheduler of diffusers."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from archspec.backends.onnx.emit import Emitter
from archspec.backends.onnx.interface import Interface
from archspec.backends.onnx.profile import Profile
from archspec.ir.graph import Graph, Param, Region
from archspec.lowering.running import Sampler

CLASS = "DDIMScheduler"
KINDS = {"noise": "epsilon", "velocity": "v_prediction", "clean": "sample"}


def scheduler(how: Sampler) -> dict[str, object]:
    """scheduler_config.json: the steps of Song et al. 2021 (arXiv:2010.02502), as `archspec run` takes them.

    Noise is told number by number, so that any schedule fits.
    """
    signal = _signal(how.signal)
    before = np.concatenate([np.ones(1), signal[:-1]])
    return {
        "_class_name": CLASS,
        "num_train_timesteps": len(signal),
        "trained_betas": [float(beta) for beta in 1 - signal / before],
        "clip_sample": False,
        "set_alpha_to_one": how.first == 0,
        "steps_offset": how.first,
        "prediction_type": KINDS[how.kind],
        "timestep_spacing": "leading",
    }


def _signal(region: Region) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The share of the variance that each step keeps: an expression of params alone."""
    outputs = (("signal", region.outputs[0]),)
    graph = Graph("signal", "", "", (), None, region, None, outputs, (), ())
    model = Emitter(graph, Profile("portable"), Interface(), _no_weight).model()
    (found,) = cast("list[Any]", ReferenceEvaluator(ir.to_proto(model)).run(None, {}))
    return np.asarray(found, dtype=np.float64)


def _no_weight(name: str, param: Param) -> ir.TensorProtocol:
    raise AssertionError(f"a schedule has no weights, not {name}")
