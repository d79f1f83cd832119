"""Running a model: prompts and images to inputs, parts that feed each other, sampling."""
