"""One way to call every public function of ``fn.curvature``, as in :mod:`tests.sweeps.callables`."""

from typing import Any

import funcnn as fn
from funcnn import curvature
from tests.sweeps.callables import KEY, LOSS, MODEL, TREE, Use


def twice(tree: Any) -> Any:
    """Return a symmetric product with a tree."""
    return fn.tree.map(lambda leaf: 2 * leaf, tree)


USES: dict[str, Use] = {
    **{
        f"curvature.{name}": Use(getattr(curvature, name), {"product": twice, "like": TREE, "key": KEY, "products": 4})
        for name in ("hutchinson", "hutch_plus_plus", "xtrace", "estimate_diagonal")
    },
    "curvature.diagonal": Use(curvature.diagonal, {"product": twice, "like": TREE}),
    "curvature.ggn_diagonal": Use(curvature.ggn_diagonal, {"model": MODEL, "loss": LOSS}),
    "curvature.kronecker_factors": Use(
        curvature.kronecker_factors,
        {"model": MODEL, "loss": LOSS, "kind": "true", "sharing": "expand", "corrected": True, "samples": 2},
    ),
    "curvature.kfac": Use(
        curvature.kfac,
        {
            "model": MODEL,
            "loss": LOSS,
            "learning_rate": 0.1,
            "damping": 0.1,
            "momentum": 0.5,
            "max_move": 0.1,
            "options": None,
        },
        ("model", "loss", "learning_rate"),
    ),
    "curvature.sophia": Use(
        curvature.sophia,
        {
            "model": MODEL,
            "loss": LOSS,
            "learning_rate": 0.1,
            "gamma": 0.1,
            "weight_decay": 0.1,
            "estimator": "hutchinson",
            "options": None,
        },
        ("model", "loss", "learning_rate"),
    ),
    "curvature.laplace": Use(
        curvature.laplace,
        {
            "model": MODEL,
            "loss": fn.half_squared_error(),
            "structure": "full",
            "prior_precision": 0.5,
            "noise": 0.1,
            "where": "weight",
        },
    ),
    "curvature.influence": Use(
        curvature.influence,
        {"model": MODEL, "loss": LOSS, "damping": 0.1, "kind": "ggn", "tolerance": 1e-6, "max_steps": 9},
    ),
    "curvature.tracin": Use(curvature.tracin, {"model": MODEL, "loss": LOSS}),
    "curvature.tangent_kernel": Use(curvature.tangent_kernel, {"model": MODEL}),
    "curvature.least_squares": Use(curvature.least_squares, {"model": MODEL}),
    "curvature.per_example_vjp": Use(curvature.per_example_vjp, {"model": MODEL}),
    "curvature.loss_and_product": Use(curvature.loss_and_product, {"model": MODEL, "loss": LOSS, "kind": "ggn"}),
    "curvature.levenberg_marquardt": Use(curvature.levenberg_marquardt, {"damping": 0.1, "max_evaluations": 9}),
    "curvature.newton_cg": Use(curvature.newton_cg, {"radius": 0.5, "max_products": 9, "max_evaluations": 9}),
    "curvature.spectral_density": Use(
        curvature.spectral_density, {"product": twice, "like": TREE, "key": KEY, "steps": 3, "samples": 2}
    ),
    "curvature.eigenpairs": Use(
        curvature.eigenpairs,
        {
            "product": twice,
            "like": TREE,
            "count": 1,
            "key": KEY,
            "end": "largest",
            "tolerance": 1e-6,
            "max_products": 50,
        },
    ),
    "curvature.conjugate_gradient": Use(
        curvature.conjugate_gradient,
        {
            "product": twice,
            "target": TREE,
            "damping": 0.1,
            "tolerance": 1e-6,
            "max_steps": 9,
            "preconditioner": twice,
        },
    ),
}
