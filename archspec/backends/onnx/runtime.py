"""Running a model in ONNX Runtime, on the provider that was asked for and no other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np
import onnxruntime

from archspec.errors import ArchspecError, Diagnostic, UnsupportedError

Array: TypeAlias = np.ndarray[Any, Any]
Provider: TypeAlias = Literal["cpu", "cuda", "tensorrt"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)
NAMES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
OLDEST = {23: (1, 23), 21: (1, 20), 18: (1, 14)}
"""The first ONNX Runtime that runs an opset: https://onnxruntime.ai/docs/reference/compatibility.html."""
DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}
FOLDER = "session.model_external_initializers_file_folder_path"
_RUNTIME: Any = onnxruntime
_STATE: Any = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
_FAILURES: tuple[type[BaseException], ...] = tuple(
    cast("type[BaseException]", getattr(_STATE, name))
    for name in (
        "Fail",
        "EPFail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NoSuchFile",
        "NoModel",
    )
) + tuple(
    cast("type[BaseException]", getattr(_STATE, name))
    for name in ("EngineError", "ModelLoaded", "NotImplemented", "RuntimeException")
)


class Session:
    """A model that is loaded. `providers`: what runs it, the one that was asked for first."""

    def __init__(
        self, model: Path, *, provider: Provider = "cpu", opset: int = 18, folder: Path | None = None,
        threads: int | None = None,
    ) -> None:  # fmt: skip
        """`folder`: where weights lie, if not beside the model. `threads` of one operation, else all cores.

        Raises UnsupportedError O003 where the provider is not there, O004 where ONNX Runtime is too old, O005
        where it does not load the model.
        """
        check_version(opset)
        check_provider(provider)
        options = _RUNTIME.SessionOptions()
        options.log_severity_level = 4  # what fails is raised, and said here
        options.intra_op_num_threads = threads or 0
        options.add_session_config_entry(FOLDER, str(folder or model.parent))
        wanted = list(dict.fromkeys([NAMES[provider], NAMES["cpu"]]))
        with _coded("load"):
            self._session: Any = _RUNTIME.InferenceSession(model.read_bytes(), options, providers=wanted)
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        if self.providers[0] != NAMES[provider]:
            raise _absent(provider, f"only {', '.join(self.providers)} started")
        self._ports = {each.name: each for each in self._session.get_inputs()}
        self.inputs: tuple[str, ...] = tuple(self._ports)
        self.outputs: tuple[str, ...] = tuple(each.name for each in self._session.get_outputs())

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the model says of itself."""
        return self._session.get_modelmeta().custom_metadata_map

    def cast(self, name: str, array: Array) -> Array:
        """An array in the dtype of an input."""
        return array.astype(DTYPES.get(self._ports[name].type, array.dtype))

    def shape(self, name: str) -> tuple[int | str, ...]:
        """The shape of an input, with a name for each size that is known only at run time."""
        return tuple(self._ports[name].shape)

    def start(self, name: str, axis: int | None, fill: float | None, batch: int) -> Array:
        """An input of state before the first step, filled with `fill` or 0. It is empty along `axis`."""
        sizes: list[int | str] = self._ports[name].shape
        shape = [0 if i == axis else batch if isinstance(x, str) else x for i, x in enumerate(sizes)]
        return np.full(shape, fill or 0, dtype=DTYPES[self._ports[name].type])

    def run(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises UnsupportedError O005 where ONNX Runtime fails."""
        with _coded("run"):
            results: Sequence[Array] = self._session.run(None, dict(given))
        return dict(zip(self.outputs, results, strict=True))

    def bound(self, given: Mapping[str, Array]) -> Callable[[], object]:
        """A call that runs with these inputs, each time the same, and leaves its outputs where they are."""
        binding = self._session.io_binding()
        for name, array in given.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(array))
        for name in self.outputs:
            binding.bind_output(name)
        return lambda: self._session.run_with_iobinding(binding)


def available() -> tuple[str, ...]:
    """The providers of the installed ONNX Runtime; one may still not start, for want of a GPU."""
    return tuple(_RUNTIME.get_available_providers())


def check_provider(provider: Provider) -> None:
    """Raises UnsupportedError O003 where the installed ONNX Runtime does not have the provider."""
    if NAMES[provider] not in available():
        raise _absent(provider, f"it has {', '.join(available())}")


def check_version(opset: int) -> None:
    """Raises UnsupportedError O004 where the installed ONNX Runtime is too old for an opset."""
    version: str = _RUNTIME.__version__
    found = tuple(int(part) for part in version.split(".")[:2])
    needed = next((least for of, least in OLDEST.items() if opset >= of), (1, 14))
    if found < needed:
        text = ".".join(map(str, needed))
        message = f"ONNX Runtime {version} is too old for opset {opset}, which {text} runs"
        hint = f"pip install 'onnxruntime>={text}', or --profile portable"
        raise UnsupportedError(Diagnostic("O004", message, None, hint))


def _absent(provider: Provider, found: str) -> UnsupportedError:
    message = f"the provider {provider} is not there: {found}"
    hint = (
        "pip install 'archspec-compiler[gpu]' on a machine with a GPU; 'archspec doctor' says what there is"
    )
    return UnsupportedError(Diagnostic("O003", message, None, hint))


@contextmanager
def _coded(what: str) -> Generator[None]:
    try:
        yield
    except _FAILURES as error:
        reason = str(error).strip().splitlines()[0][:400]
        raise ArchspecError(
            Diagnostic("O005", f"ONNX Runtime does not {what} the model: {reason}", None, _hint(reason))
        ) from error


def _hint(reason: str) -> str | None:
    if "NOT_IMPLEMENTED" in reason:
        return "the provider has no kernel for this: try another dtype, profile or provider, or --no-verify"
    return None
