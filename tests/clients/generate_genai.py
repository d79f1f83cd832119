"""Runs in the environment of onnxruntime-genai: FOLDER LIMIT, ids on stdin, tokens on stdout."""

# pyright: basic, reportMissingImports=false
# The package is only in that environment.

import json
import sys

import onnxruntime_genai as genai

folder, limit = sys.argv[1], int(sys.argv[2])
prompt = json.load(sys.stdin)
model = genai.Model(folder)
options = genai.GeneratorParams(model)
options.set_search_options(max_length=len(prompt[0]) + limit, batch_size=len(prompt), do_sample=False)
generator = genai.Generator(model, options)
generator.append_tokens(prompt)
while not generator.is_done():
    generator.generate_next_token()
json.dump([[int(token) for token in generator.get_sequence(row)] for row in range(len(prompt))], sys.stdout)
