"""A recurrent network that predicts the next character: products in a chain of steps."""

from tests.benchmarks.lstm import Spec, training

WORKLOAD = training("char-lstm", "65 characters, LSTM 256, dense 65, T 64, batch 32", Spec(), goal=0.95, compared=8)
