"""Losses between numbers: errors, robust errors, likelihoods of counts and of Gaussians."""
