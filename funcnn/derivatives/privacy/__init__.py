"""Training that tells little about any single example, and how much it tells.

private_grads.py  private_grads: clipped and noisy sums of gradients
accountant.py     sampled_gaussian_rdp, privacy_spent, privacy_noise: what a training has told, and how much noise it takes
"""
