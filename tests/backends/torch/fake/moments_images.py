"""The moments of Stable Diffusion 1.5's parts: batch 1, latents of 64 x 64, 77 tokens of text.

Reference: `UNet2DConditionModel` and `AutoencoderKL.decode` of diffusers 0.42.1; eager: its `AttnProcessor`.
"""

from tests.backends.torch.fake.moments import Peak

PLACES, CHANNELS, HEADS, TIME = 64 * 64, 320, 8, 1280


def unet(item: int, eager: bool) -> Peak:
    """Both peak in a transformer of the last level: the reference in its first layer, ours in its second."""
    x, pairs = PLACES * CHANNELS * item, HEADS * PLACES**2
    held = {"time": TIME * item, "skips of the level": 3 * x, "level's input": 2 * x, "layer": 2 * x}
    theirs, ours = {**held, "sinusoids": CHANNELS * item}, {**held, "layer's input": x}
    if not eager:
        ff = {"after attention": x, "MLP's norm": x, "up": 8 * x, "gelu": 4 * x, "product": 4 * x}
        return Peak({"mlp": {**theirs, **ff, "attended": x}}, {"mlp": {**ours, **ff}})
    qkv = {"attention's norm": x, "queries, keys, values": 3 * x}
    theirs |= {**qkv, "scores": pairs * item, "scores' room": pairs * item}
    ours |= {**qkv, "scores": pairs * item}
    if item == 4:
        ours |= {"weights": pairs * item, "context": x, "context, by position": x}
    else:
        ours |= {"scores in fp32": pairs * 4, "weights in fp32": pairs * 4}
    return Peak({"scores": theirs}, {"scores": ours})


def vae_decoder(item: int) -> Peak:
    """The first residual block of the last level: its input, the norm of it, and the activation of that."""
    alive = {"input": 3 * 256 * 512**2 * item}
    return Peak({"block": {**alive, "quantized latents": 4 * PLACES * item}}, {"block": alive})
