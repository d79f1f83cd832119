"""The language: text to located document to validated tree. Knows no operations."""
