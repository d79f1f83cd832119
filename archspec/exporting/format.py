"""What an export is asked for. Without numpy, so that a command line can name it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

ProfileName: TypeAlias = Literal["standard", "portable", "genai"]
Dtype: TypeAlias = Literal["float32", "float16", "bfloat16"]
Way: TypeAlias = Literal["full", "cached", "prefill-decode", "encoder-decoder"]
Provider: TypeAlias = Literal["cpu", "cuda", "tensorrt"]
LayoutName: TypeAlias = Literal["optimum", "diffusers", "web", "genai"]
Quantization: TypeAlias = Literal["int8", "int8-static", "int4"]


class Format(Struct, frozen=True):
    """How a model is written in ONNX.

    `profile`: operators of ai.onnx in opset 23 (`standard`) or 18 (`portable`), or ONNX Runtime's own as well
    (`genai`). `mode`: the whole sequence at once, with a cache in one graph or in two, or an encoder and its
    decoder. `without`: inputs that are left out. `sizes`: run-time sizes that are numbers in this model.
    `external`: whether weights get a file of their own; None for more than 64 MiB of them.

    `layout`: the client whose folder it is; it decides on the mode, names and other files. `quantize`:
    products in fewer bits, of weights and activations (`int8`), of weights in blocks of 32 (`int4`), or with
    ranges of activations that were seen in the recorded inputs of the file `calibration` (`int8-static`).
    `embeddings`: tables in 8 bits as well.
    """

    profile: ProfileName = "standard"
    dtype: Dtype = "float32"
    mode: Way = "full"
    without: tuple[str, ...] = ()
    sizes: Mapping[str, int] = {}
    external: bool | None = None
    layout: LayoutName | None = None
    quantize: Quantization | None = None
    calibration: Path | None = None
    embeddings: bool = False

    @property
    def stored(self) -> str:
        """What most weights are stored in."""
        return self.quantize or self.dtype


class Verification(Struct, frozen=True):
    """How an export is checked: in ONNX Runtime on a `provider`, against torch or the recorded `case`.

    `record`: a file to write the cases to, for machines without torch. `run`: False leaves the check out.
    """

    provider: Provider = "cpu"
    case: Path | None = None
    record: Path | None = None
    run: bool = True
