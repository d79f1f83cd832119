"""Rewrites from the graph to what the source says, in order."""
