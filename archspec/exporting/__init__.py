"""From a spec and its weights to files that other runtimes load, and whether they say the same there."""
