"""The meaning of a spec: typed operations on tensors with symbolic sizes. Knows no YAML and no torch."""
