"""Images as tensors, and back. Pillow reads and writes them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from archspec import atomic
from archspec.dims import poly
from archspec.errors import ArchspecError, Diagnostic
from archspec.extras import installed
from archspec.ir.types import TensorType
from archspec.lowering.running import Images

if TYPE_CHECKING:
    from PIL.Image import Image

_MODES = {1: "L", 3: "RGB"}


def read_image(path: Path, wanted: TensorType, how: Images) -> Tensor:
    """An image file as float32 [C, H, W], for an input [B, C, H, W].

    Raises ArchspecError X002 (no Pillow), X011 (not an image), X012 (channels or size).
    """
    mode = _mode(wanted, how)
    height, width = (size.size for size in wanted.shape[2:])
    image = _opened(path, mode)
    if how.resize and isinstance(height, int) and isinstance(width, int):
        image = _fitted(image, (width, height), how)
    if not (_can_be(height, image.height) and _can_be(width, image.width)):
        message = f"{path} is {image.width} x {image.height}, not {poly.show(width)} x {poly.show(height)}"
        raise _wrong(message, "cut or scale it first; a spec may do so: 'run: {images: {resize: bicubic}}'")
    return (_tensor(image) / 255 - _channels(how.mean)) / _channels(how.std)


def write_image(pixels: Tensor, path: Path, how: Images) -> None:
    """Writes pixels [C, H, W] as PNG, whole or not at all; what is out of range is clamped.

    Raises ArchspecError X002, X012 (channels), F001 or F002 where it cannot be written.
    """
    with installed("image"):
        from PIL import Image  # lazy: only images need it

    if pixels.dim() != 3 or len(pixels) not in _MODES:
        raise _wrong(f"{list(pixels.shape)} is no image", "one has 1 or 3 channels, height and width")
    shown = (pixels.float() * _channels(how.std) + _channels(how.mean)).clamp(0, 1)
    data = (shown * 255).round().byte().permute(1, 2, 0).contiguous()
    size = (pixels.shape[2], pixels.shape[1])
    out = io.BytesIO()
    Image.frombytes(_MODES[len(pixels)], size, data.numpy().tobytes()).save(out, "PNG")
    atomic.write_bytes(path, out.getvalue())


def _opened(path: Path, mode: str) -> Image:
    with installed("image"):
        from PIL import Image, ImageOps  # lazy: only images need it

    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert(mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        message = f"cannot read an image from {path}: {error}"
        raise ArchspecError(Diagnostic("X011", message, None, "a PNG or JPEG file will do")) from error


def _mode(wanted: TensorType, how: Images) -> str:
    channels = wanted.shape[1]
    count = int(channels) if channels.static else 0
    if count not in _MODES:
        raise _wrong(
            f"the model takes images of {channels.described()} channels", "files have 1 or 3 of them"
        )
    if not {len(how.mean), len(how.std)} <= {1, count}:
        raise _wrong(
            f"mean and std are not those of {count} channels", "look at 'run: {images: …}' in the spec"
        )
    return _MODES[count]


def _fitted(image: Image, size: tuple[int, int], how: Images) -> Image:
    """The image in the size (width, height) that is asked for, stretched, or cut to its middle."""
    from PIL import Image as images  # lazy: installed, as an image is there

    kind = images.Resampling[(how.resize or "nearest").upper()]
    if not how.crop:
        return image.resize(size, kind)
    scale = max(wanted / has for wanted, has in zip(size, image.size, strict=True))
    larger = [max(int(has * scale + 1e-9), wanted) for has, wanted in zip(image.size, size, strict=True)]
    left, top = ((has - wanted) // 2 for has, wanted in zip(larger, size, strict=True))
    return image.resize((larger[0], larger[1]), kind).crop((left, top, left + size[0], top + size[1]))


def _can_be(size: poly.Size, pixels: int) -> bool:
    """Whether a size can be a number of pixels: it is that number, or gives it for some size of one name."""
    if isinstance(size, int):
        return size == pixels
    names = poly.symbols(size)
    return any(poly.evaluate(size, dict.fromkeys(names, value)) == pixels for value in range(1, pixels + 1))


def _tensor(image: Image) -> Tensor:
    data = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return data.view(image.height, image.width, -1).permute(2, 0, 1).float()


def _channels(numbers: tuple[float, ...]) -> Tensor:
    return torch.tensor(numbers)[:, None, None]


def _wrong(message: str, hint: str) -> ArchspecError:
    return ArchspecError(Diagnostic("X012", message, None, hint))
