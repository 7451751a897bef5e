"""Augmentation: keyed pure functions that change the examples of a batch at random, and leave what they show as it is."""
