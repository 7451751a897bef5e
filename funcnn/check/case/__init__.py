"""One check: the problem that is posed, its function, its calls, the points at which it is sampled."""
