"""Derivatives beyond the gradient, of every layer, from the same hand-written forward and backward.

complex_step.py     the imaginary step: the one idea that the products are made of
analytic.py         layers of one's own are tried for being analytic
jvp.py              jvp, vjp, linearize
hvp.py              hvp, input_hvp, mixed_product, gradient_jvp
ggn.py              ggn_product
directional.py      directional_derivatives, estimate_derivatives: derivatives of any order as a layer
laplacian.py        laplacian
input_gradient.py   input_gradient
divergence.py       divergence
sums.py             what layers of derivatives share: readings of derivatives along lines
outer.py            a derivative of such a layer: the outer one by a circle too
cauchy.py           Cauchy's formula: the circle, its weights, its errors
line.py             a network on a circle, and the transpose
kinks.py            layers that are not analytic
coordinates.py      the inputs in which is differentiated
fisher.py           fisher_product
matrices.py         jacobian, input_jacobian, hessian
per_example.py      per_example_grads, per_example_norms, clipped_grads
statistics.py       gradient_statistics, gradient_noise_scale
privacy/            private_grads, and the account of what they tell
apart.py            a network whose backward keeps the examples of a batch apart
rules/              how single layers do that without running once for each example
"""
