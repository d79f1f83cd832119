"""The kernels of an attention, as they stand before a structure is put in.

These files are real Triton, and their text is what generated files are made of (`kernels/fold.py`): the
functions of `structure.py` are replaced by those of the attention at hand, branches on the flags of
`structure.py` are decided, and the words OPERANDS, PARAMETERS, ARGUMENTS and POINTERS become what it reads.
"""
