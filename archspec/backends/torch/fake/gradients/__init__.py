"""The gradients of operations on shapes. Importing this package registers all of them."""

from archspec.backends.torch.fake.gradients import pointwise, product, views

__all__ = ["pointwise", "product", "views"]
