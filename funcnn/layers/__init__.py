"""One file per formula.  Every file has the same parts: Params, Residuals, init, forward, backward, and the public factory last.

Nothing is re-exported here, so that ``funcnn.dense`` is the factory and ``funcnn.layers.linear.dense`` its module.
"""
