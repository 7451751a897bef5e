"""Resizing, and sampling at the places of a grid."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import funcnn as fn
from tests.coverage.bridge import run, unless
from tests.coverage.onnx_samples import node
from tests.coverage.operators import shapes
from tests.coverage.operators.layout import over_space


@node("Resize")
def resize(
    attributes: dict[str, Any], x: Tensor, roi: Tensor | None = None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Any:
    """Resize the spatial axes, where the others stay."""
    mode, places = attributes.get("mode", "nearest"), attributes.get("coordinate_transformation_mode", "half_pixel")
    unless("keep_aspect_ratio_policy" in attributes, "sizes that keep the aspect ratio")
    outside, smooth = bool(attributes.get("exclude_outside", 0)), bool(attributes.get("antialias", 0))
    unless(outside and not smooth, "weights without those beyond the borders")
    unless(smooth and not outside, "antialiasing with the borders repeated beyond the image")
    unless(attributes.get("cubic_coeff_a", -0.75) != -0.75, "another cubic kernel")
    which = [axis % x.dim() for axis in attributes.get("axes", range(x.dim()))]
    factors, wanted = [1.0] * x.dim(), list(x.shape)
    for place, axis in enumerate(which):
        factors[axis] = float(scales[place]) if scales is not None else int(sizes[place]) / x.shape[axis]
        wanted[axis] = int(x.shape[axis] * factors[axis] + 1e-9) if scales is not None else int(sizes[place])
    unless(wanted[:2] != list(x.shape[:2]), "resizing of examples or channels")
    whole = all(abs(factor * length - points) < 1e-6 for factor, length, points in zip(factors, x.shape, wanted, strict=True))
    unless(places == "align_corners" and not whole, "corners aligned by a length that is not whole")
    settings: Any = {"mode": mode}
    if mode == "nearest":
        rounding = attributes.get("nearest_mode", "round_prefer_floor")
        exact = places == "half_pixel" and rounding.startswith("round")
        unless(not exact and (places, rounding) != ("asymmetric", "floor"), f"nearest points by {places} and {rounding}")
        ties = exact and rounding == "round_prefer_floor" and any(map(tied, factors[2:], wanted[2:]))
        unless(ties, "ties that are rounded down")
        settings["mode"] = "nearest_exact" if exact else "nearest"
    else:
        unless(places not in ("half_pixel", "align_corners"), f"places by {places}")
        settings |= {"align_corners": places == "align_corners", "antialias": smooth}
    if scales is None:
        return over_space(fn.resize(tuple(wanted[2:]), **settings), x, x.dim() - 2)
    return over_space(fn.resize_by(tuple(factors[2:]), **settings), x, x.dim() - 2)


def tied(factor: float, points: int) -> bool:
    """Tell whether a point lies halfway between two of the input."""
    places = [(point + 0.5) / factor for point in range(points)]
    return any(abs(place - round(place)) < 1e-9 for place in places)


@node("GridSample")
def grid_sample(attributes: dict[str, Any], x: Tensor, grid: Tensor) -> Any:
    unless(attributes.get("mode", "linear") == "cubic", "cubic sampling")
    mode = {"linear": "bilinear", "bilinear": "bilinear", "nearest": "nearest"}[attributes.get("mode", "linear")]
    corners = bool(attributes.get("align_corners", 0))
    return shapes.grid_sample(x, grid, mode, attributes.get("padding_mode", "zeros"), corners)


@node("AffineGrid")
def affine_grid(attributes: dict[str, Any], theta: Tensor, size: Tensor) -> Any:
    layer = fn.affine_grid(tuple(size[2:].tolist()), align_corners=bool(attributes.get("align_corners", 0)))
    return run(layer, theta)
