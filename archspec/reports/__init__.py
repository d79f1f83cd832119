"""What is told of a model's cost, put together from the analyses and the backend's run on shapes."""
