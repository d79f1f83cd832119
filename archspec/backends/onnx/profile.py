"""What a graph may use: which operators, of which opset, and the dtype that `float` is."""

from __future__ import annotations

from msgspec import Struct

# The opset of ai.onnx and the version of the file that each profile is written in.
OPSETS = {"standard": 23, "portable": 18, "genai": 23}
FILES = {"standard": 10, "portable": 8, "genai": 10}
SINCE = {"Gelu": 20, "Attention": 23, "RotaryEmbedding": 23, "RMSNormalization": 23}


class Profile(Struct, frozen=True):
    """`standard`: ai.onnx, opset 23. `portable`: opset 18. `genai`: with operators of ONNX Runtime alone."""

    name: str = "standard"
    dtype: str = "float32"

    @property
    def opset(self) -> int:
        return OPSETS[self.name]

    @property
    def file_version(self) -> int:
        return FILES[self.name]

    @property
    def contrib(self) -> bool:
        """Whether operators of ONNX Runtime's own may be used."""
        return self.name == "genai"

    def has(self, operator: str) -> bool:
        """Whether an operator of ai.onnx is in the opset."""
        return SINCE.get(operator, 1) <= self.opset
