"""The arithmetic of shapes: expressions, symbolic integers, and numbers that know their names."""
