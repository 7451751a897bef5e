"""Checks of functions of PyTorch and JAX themselves: run by ``.ci/adapters``, in an environment of its own."""
