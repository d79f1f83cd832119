"""Which tiles of queries and keys a mask makes an attention visit, in closed form.

`plan` reads a rule once per structure; `concrete` puts numbers in: tiles, cost and a picture.
"""
