"""How a model is run, in a line for each part of it."""

from __future__ import annotations

from archspec.lowering.running import Images, Running, Sampler, Tokens


def told(running: Running) -> dict[str, str]:
    """What differs from reading images and prompts as they are."""
    found = {
        "images": _images(running.images) if running.images != Images() else "",
        "tokens": _tokens(running.tokens) if running.tokens != Tokens() else "",
        "sample": _sample(running.sampler) if running.sampler else "",
    }
    return {name: text for name, text in found.items() if text}


def _images(images: Images) -> str:
    mean, std = (" ".join(f"{number:g}" for number in numbers) for numbers in (images.mean, images.std))
    fitted = f", {images.resize}{' and cut to the middle' if images.crop else ''}" if images.resize else ""
    return f"mean {mean}, std {std}{fitted}"


def _tokens(tokens: Tokens) -> str:
    length = f"{tokens.length} ids" if tokens.length else "the length of the longest"
    filled = f", filled with {tokens.pad}" if tokens.pad is not None else ""
    return f"{length}{filled}" + (f", told by {tokens.mask}" if tokens.mask else "")


def _sample(sampler: Sampler) -> str:
    steps = sampler.signal.outputs[0].type.shape[0]
    result = f", then {sampler.result}" if sampler.result else ""
    told = f"{int(steps):,} steps of {sampler.time}, by its {sampler.kind}"
    return f"{sampler.noisy} from noise, {told}{result}"
