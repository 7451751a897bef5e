"""What an example did: influence functions beside training anew without each example.

    python docs/examples/influence.py --picture influence.svg

A logistic regression on digits, which is convex: what the influence function says is compared with the loss after training
without the example, for every example.  Then a small network, whose minima are many, from where training ended.
"""

import argparse
from functools import partial
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn

LOSS = fn.softmax_cross_entropy()


@frozen(eq=False)
class Objective:
    """A share of a mean of losses, and a penalty on the parameters: value, gradient, and products with the Hessian."""

    inner: Any
    params: Any
    share: float
    penalty: float

    @property
    def loss(self) -> Any:
        return self.share * self.inner.loss + self.penalty / 2 * sum((leaf**2).sum() for leaf in fn.tree.leaves(self.params))

    @property
    def grads(self) -> Any:
        return fn.tree.map(lambda g, p: self.share * g + self.penalty * p, self.inner.grads, self.params)

    def product(self, vector: Any, /) -> Any:
        return fn.tree.map(lambda h, v: self.share * h + self.penalty * v, self.inner.product(vector), vector)


def trained(model: Any, start: Any, state: Any, x: Any, labels: Any, total: int, penalty: float) -> Any:
    """Return the parameters that minimize the sum of the losses over ``total``, and the penalty."""
    both = fn.curvature.loss_and_product(model, LOSS)

    def function(params: Any) -> Objective:
        return Objective(both(params, state, x, labels, fn.Eval()), params, len(x) / total, penalty)

    return fn.minimize(function, start, fn.curvature.newton_cg(), steps=300, tolerance=1e-7).params


def rank_correlation(one: Any, other: Any) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def compared(model: Any, examples: int, penalty: float, key: fn.Key, left_out: int) -> tuple[Any, Any]:
    """Return what the influence function says of examples, and what leaving each out does to the loss at other digits."""
    data = fn.data.digits()
    chosen = key.child(0).generator().permutation(np.flatnonzero(data.y < 3))
    seen, asked = chosen[:examples], chosen[examples : examples + 60]
    x, labels = data.x[seen], data.y[seen]
    labels = np.where(np.arange(examples) % 8 == 0, (labels + 1) % 3, labels)  # some are told wrong
    start = model.init(key.child(1), (64,))
    fitted = partial(trained, model, state=start.state, total=examples, penalty=penalty)
    params = fitted(start.params, x=x, labels=labels)
    query = data.x[asked], data.y[asked]
    influence = fn.curvature.influence(model, LOSS, damping=penalty)
    said = influence(params, start.state, (x, labels), query)
    before = LOSS.forward(fn.apply(model, params, start.state, query[0]), query[1]).value
    done = []
    for n in range(left_out):
        kept = np.arange(examples) != n
        after = fitted(params, x=x[kept], labels=labels[kept])
        done.append(float(LOSS.forward(fn.apply(model, after, start.state, query[0]), query[1]).value - before))
    return said[:left_out], np.array(done)


def main(seed: int = 0, examples: int = 80, network: int = 40, picture: str = "") -> tuple[float, float]:
    key = fn.Key(seed)
    convex = compared(fn.dense(3), examples, 0.05, key, examples)
    found = [rank_correlation(*convex), float("nan")]
    print(f"logistic regression, {examples} examples: rank correlation {found[0]:.3f} with training without each of them")
    pairs = [("logistic regression", convex)]
    if network:
        deep = compared(fn.mlp(8, 3, activation="tanh"), 80, 0.02, key, network)
        found[1] = rank_correlation(*deep)
        print(f"a network, {network} of 80 examples: rank correlation {found[1]:.3f}")
        pairs.append(("a network", deep))
    if picture:
        draw(picture, pairs)
    return found[0], found[1]


def draw(path: str, pairs: Any) -> None:
    """Draw what was said against what was done."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(pairs) + 0.5, 3.8), layout="constrained")
    for axis, (name, (said, done)) in zip(np.atleast_1d(figure.subplots(1, len(pairs))), pairs, strict=True):
        ends = [min(said.min(), done.min()), max(said.max(), done.max())]
        axis.plot(ends, ends, "--", color="black", linewidth=1)
        axis.plot(said, done, ".", color="#3b6fb6")
        axis.set(title=name, xlabel="what the influence function says", ylabel="what leaving out does")
    with mpl.rc_context({"svg.hashsalt": "funcnn", "svg.fonttype": "none"}):  # equal runs give equal files
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--picture", default="", metavar="FILE.svg")
    main(picture=parser.parse_args().picture)
