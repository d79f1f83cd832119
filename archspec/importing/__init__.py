"""From a published configuration to a spec: the `config` section of a library spec, read backwards.

Start at `choose.py`. Nothing here imports torch, transformers or diffusers.
"""
