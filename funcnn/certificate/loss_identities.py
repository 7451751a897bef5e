"""The exact identities of the library's losses and penalties, by the name of the factory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import frozen

from funcnn.certificate.cases import LOSSES, PENALTIES
from funcnn.check.witness.loss_identities import Directions, Euler, LossIdentity, LossPoint, Mirror, Unmoved, Unordered


@frozen
class StatedLoss:
    """Identities of a loss, and for which of its cases: for all but those with these labels."""

    identities: tuple[LossIdentity, ...]
    but: tuple[str, ...] = ()

    def about(self, label: str) -> bool:
        """Tell whether they are stated for a case."""
        return label not in self.but


ANY_ORDER = Unordered()
ABSOLUTE, SQUARED, EVEN = Euler(1, "target"), Euler(2, "target"), Mirror()
LINEAR, CLASSES, PARTS = Euler(1), Unmoved("classes"), Unmoved("parts")
COMPLEMENT = Mirror("0", complement=True)

_OWN: dict[str, tuple[StatedLoss, ...]] = {
    # of what prediction and target differ by
    **{name: (StatedLoss((SQUARED, EVEN)),) for name in ("mean_squared_error", "half_squared_error")},
    "mean_absolute_error": (StatedLoss((ABSOLUTE, EVEN)),),
    **{name: (StatedLoss((EVEN,)),) for name in ("huber", "smooth_l1", "log_cosh_error")},
    **{name: (StatedLoss((ABSOLUTE,)),) for name in ("mean_absolute_percentage_error",)},
    "quantile_error": (StatedLoss((ABSOLUTE,), but=("several",)),),
    **{name: (StatedLoss((EVEN,)),) for name in ("gaussian_nll", "student_t_nll", "gaussian_crps")},
    "gaussian_kl": (StatedLoss((Mirror("0"),)),),
    # linear in the prediction
    **{name: (StatedLoss((LINEAR,)),) for name in ("wasserstein", "negative_log_likelihood", "given_losses")},
    # of logits
    **{
        name: (StatedLoss((CLASSES,)),)
        for name in ("softmax_cross_entropy", "softmax_focal", "distillation", "multi_margin", "multilabel_margin", "ctc")
    },
    "sigmoid_cross_entropy": (StatedLoss((COMPLEMENT,), but=("pos_weight", "pos_weights")),),
    "sigmoid_focal": (StatedLoss((COMPLEMENT,), but=("alpha",)),),
    "binary_cross_entropy": (StatedLoss((Mirror("1/2", complement=True),)),),
    # of pairs and triplets
    **{name: (StatedLoss((PARTS,)),) for name in ("contrastive", "triplet_margin", "margin_ranking")},
    **{name: (StatedLoss((Directions(),)),) for name in ("cosine_embedding", "info_nce")},
}
LOSS_IDENTITIES: dict[str, tuple[StatedLoss, ...]] = {
    **{name: (*_OWN.get(name, ()), StatedLoss((ANY_ORDER,))) for name in LOSSES},
    "l1_penalty": (StatedLoss((LINEAR,)),),
    "l2_penalty": (StatedLoss((Euler(2),)),),
}
"""Of each name what holds for its cases."""


def loss_points(name: str) -> Iterator[tuple[str, LossPoint]]:
    """Yield the label and a point of each case of a loss, or of a penalty, whose target is None."""
    for index, case in enumerate(LOSSES.get(name, ())):
        loss = case.make()

        def value(prediction: Any, target: Any, loss: Any = loss) -> float:
            return float(loss.forward(prediction, target).value)

        def gradient(prediction: Any, target: Any, loss: Any = loss) -> Any:
            return loss.backward(loss.forward(prediction, target).residuals)

        prediction, target = case.draw(np.random.default_rng(1), case.batch)
        yield _label(case.label, index), LossPoint(value, gradient, prediction, target)
    for index, one in enumerate(PENALTIES.get(name, ())):
        penalty = one.make()

        def of_params(params: Any, _: Any, penalty: Any = penalty) -> float:
            return float(penalty.value(params))

        def slope(params: Any, _: Any, penalty: Any = penalty) -> Any:
            return penalty.gradient(params)

        yield _label(one.label, index), LossPoint(of_params, slope, one.params(), None)


def _label(label: str, index: int) -> str:
    return label or ("plain" if not index else f"case {index + 1}")
