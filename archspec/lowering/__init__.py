"""From the validated tree to the graph: names to values, scopes to regions, words to operations."""
