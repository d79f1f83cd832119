"""Runs in the environment of optimum: FOLDER GIVEN.npz FOUND.npz.

Makes an image of the latents, led to one prompt and away from another, both given as ids.
"""

# pyright: basic, reportMissingImports=false, reportArgumentType=false, reportOptionalCall=false
# The package is only in that environment.

import sys

import numpy as np
import torch
from optimum.onnxruntime import ORTStableDiffusionPipeline

folder, given, found = sys.argv[1:]
pipeline = ORTStableDiffusionPipeline.from_pretrained(folder)
with np.load(given) as file:
    ids, away, latents, pixels = (
        torch.from_numpy(file[name]) for name in ("ids", "away", "latents", "pixels")
    )
side = 8 * latents.shape[-1]
image = pipeline(
    prompt_embeds=pipeline.text_encoder(ids)[0], negative_prompt_embeds=pipeline.text_encoder(away)[0],
    latents=latents, num_inference_steps=4, guidance_scale=3.0, height=side, width=side, output_type="np",
).images  # fmt: skip
encoded = pipeline.vae.encode(pixels).latent_dist.mean
np.savez(found, image=image, encoded=encoded.numpy())
