"""Functions that emitted source carries with it: real code, tested here, copied as text."""
