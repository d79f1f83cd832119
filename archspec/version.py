"""The version of this package, said once for the command line and for emitted files."""

VERSION = "0.1.0"
