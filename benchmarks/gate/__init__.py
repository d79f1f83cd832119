"""Generated kernels compiled ahead of time, for devices that are not there, and what came out of the compiler."""
