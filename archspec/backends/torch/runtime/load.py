"""Importing emitted source: what runs is the very text that a build writes."""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Mapping
from itertools import count
from types import CodeType, ModuleType

from archspec.errors import Diagnostic, InternalError, Source, Span

_NUMBERS = count(1)


def module_from_source(source: str, name: str, beside: Mapping[str, str] | None = None) -> ModuleType:
    """The module that `source` is. `beside`: modules that it imports, whose names say what is in them.

    It stands in `sys.modules` under a name of its own, so that its classes can be pickled and compiled, and
    in `linecache`, so that tracebacks show its lines. Raises InternalError I200 where the text is no Python.
    """
    for other, text in (beside or {}).items():
        if other not in sys.modules:
            _loaded(text, other)
    word = re.sub(r"\W", "_", name)
    return _loaded(source, f"archspec_emitted_{word}_{next(_NUMBERS)}")


def _loaded(source: str, unique: str) -> ModuleType:
    file = f"<{unique}>"
    module = ModuleType(unique)
    module.__file__ = file
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    code = _compiled(source, file)
    sys.modules[unique] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


def _compiled(source: str, file: str) -> CodeType:
    try:
        return compile(source, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        span = Span(Source(file, source), line, getattr(error, "offset", None) or 1, line, 10**6)
        message = f"the emitted source is not valid Python: {getattr(error, 'msg', error)}"
        hint = "this is a fault of archspec: please report the spec"
        raise InternalError(Diagnostic("I200", message, span, hint)) from error
