"""Cases of losses."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import LossCase
from funcnn.certificate.cases.targets import (
    autoencoded,
    away_from_0,
    counts,
    distributed,
    followed,
    grouped,
    labelled,
    logits,
    long_transcribed,
    membership,
    mixed,
    of_cosines,
    one_untargeted,
    over,
    pair,
    paired,
    predicted,
    ranked,
    several_labels,
    signs,
    squeezed,
    transcribed,
    tuples,
    untargeted,
    untargeted_losses,
    weighted,
)

LOSSES: dict[str, tuple[LossCase, ...]] = {
    "mean_squared_error": (
        LossCase(lambda: fn.mean_squared_error(), pair(2)),
        LossCase(lambda: fn.mean_squared_error(reduction="sum"), pair(2, 3), label="sum"),
        LossCase(lambda: fn.mean_squared_error(), weighted(pair(2, 3)), label="weighted"),
    ),
    "half_squared_error": (
        LossCase(lambda: fn.half_squared_error(), pair(2, 3)),
        LossCase(lambda: fn.half_squared_error(reduction="sum"), weighted(pair(2, 3)), label="weighted sum"),
    ),
    "mean_absolute_error": (LossCase(lambda: fn.mean_absolute_error(), pair(3)),),
    "huber": (LossCase(lambda: fn.huber(0.8), pair(3), batch=5),),
    "smooth_l1": (LossCase(lambda: fn.smooth_l1(0.8), pair(3), batch=5),),
    "softmax_cross_entropy": (
        LossCase(lambda: fn.softmax_cross_entropy(), labelled(4)),
        LossCase(lambda: fn.softmax_cross_entropy(), labelled(4, scale=500.0), label="large"),
        LossCase(lambda: fn.softmax_cross_entropy(), weighted(labelled(2, 3)), label="weighted sequence"),
        LossCase(lambda: fn.softmax_cross_entropy(), distributed(4), label="probabilities"),
        LossCase(lambda: fn.softmax_cross_entropy(label_smoothing=0.1), labelled(4), label="smoothed"),
        LossCase(
            lambda: fn.softmax_cross_entropy(class_weight=(0.5, 2.0, 1.0), label_smoothing=0.1), distributed(2, 3), label="all"
        ),
        LossCase(lambda: fn.softmax_cross_entropy(class_weight=(0.5, 2.0, 1.0)), labelled(3), label="class weights"),
        LossCase(lambda: fn.softmax_cross_entropy(ignore_index=1), labelled(3), batch=6, label="ignored label"),
    ),
    "sigmoid_cross_entropy": (
        LossCase(lambda: fn.sigmoid_cross_entropy(), logits(3)),
        LossCase(lambda: fn.sigmoid_cross_entropy(label_smoothing=0.2), logits(3), label="smoothed"),
        LossCase(lambda: fn.sigmoid_cross_entropy(pos_weight=3.0), logits(3), label="pos_weight"),
        LossCase(lambda: fn.sigmoid_cross_entropy(pos_weight=(3.0, 0.5)), weighted(logits(2)), label="pos_weights"),
    ),
    "cross_entropy": (
        LossCase(lambda: fn.cross_entropy(), predicted(4)),
        LossCase(lambda: fn.cross_entropy(), predicted(2, 3, soft=True), label="probabilities"),
    ),
    "binary_cross_entropy": (LossCase(lambda: fn.binary_cross_entropy(), over(0.05, 0.95, 3, target=membership)),),
    "distillation": (
        LossCase(lambda: fn.distillation(), pair(4)),
        LossCase(lambda: fn.distillation(2.5), pair(2, 3), label="temperature"),
    ),
    "ordinal_cross_entropy": (LossCase(lambda: fn.ordinal_cross_entropy(), ranked(3), batch=4),),
    "multilabel_margin": (LossCase(lambda: fn.multilabel_margin(), over(-1.0, 1.0, 4, target=several_labels)),),
    "log_cosh_error": (LossCase(lambda: fn.log_cosh_error(), pair(3), batch=5),),
    "mean_squared_log_error": (
        LossCase(lambda: fn.mean_squared_log_error(), over(-0.8, 3.0, 2, target=lambda g, shape: g.uniform(-0.5, 9.0, shape))),
    ),
    "quantile_error": (
        LossCase(lambda: fn.quantile_error(0.3), pair(3)),
        LossCase(lambda: fn.quantile_error((0.1, 0.5, 0.9)), pair(3), label="several"),
    ),
    "poisson_nll": (
        LossCase(lambda: fn.poisson_nll(), over(-2.0, 2.0, 3, target=counts)),
        LossCase(lambda: fn.poisson_nll(log_rate=False), over(0.1, 4.0, 3, target=counts), label="rate"),
        LossCase(lambda: fn.poisson_nll(full=True), over(-2.0, 2.0, 3, target=counts), label="full"),
    ),
    "mean_absolute_percentage_error": (
        LossCase(lambda: fn.mean_absolute_percentage_error(), over(-2.0, 2.0, 3, target=away_from_0)),
    ),
    "symmetric_mean_absolute_percentage_error": (
        LossCase(lambda: fn.symmetric_mean_absolute_percentage_error(), over(-2.0, 2.0, 3, target=away_from_0), batch=5),
    ),
    "arc_face": (
        LossCase(lambda: fn.arc_face(0.6, scale=4.0), of_cosines(4), batch=5),
        LossCase(lambda: fn.arc_face(scale=2.0), of_cosines(2, 3), label="sequence"),
    ),
    "sparsemax_loss": (
        LossCase(lambda: fn.sparsemax_loss(), labelled(4, scale=0.7)),
        LossCase(lambda: fn.sparsemax_loss(), distributed(2, 3, scale=0.7), label="probabilities"),
    ),
    "entmax15_loss": (
        LossCase(lambda: fn.entmax15_loss(), labelled(4, scale=1.0)),
        LossCase(lambda: fn.entmax15_loss(), distributed(2, 3, scale=1.0), label="probabilities"),
    ),
    "hinge_embedding": (LossCase(lambda: fn.hinge_embedding(0.8), over(0.0, 2.0, 3, target=signs), batch=5),),
    "tweedie_nll": (LossCase(lambda: fn.tweedie_nll(1.3), over(-2.0, 2.0, 3, target=counts)),),
    "wasserstein": (LossCase(lambda: fn.wasserstein(), over(-2.0, 2.0, 3, target=signs)),),
    "hinge": (LossCase(lambda: fn.hinge(), over(-2.0, 2.0, 3, target=signs)),),
    "squared_hinge": (LossCase(lambda: fn.squared_hinge(), over(-2.0, 2.0, 3, target=signs)),),
    "margin_ranking": (LossCase(lambda: fn.margin_ranking(0.5), tuples(over(-1.0, 1.0, 3, target=signs))),),
    "gaussian_nll": (
        LossCase(lambda: fn.gaussian_nll(), tuples(pair(2))),
        LossCase(lambda: fn.gaussian_nll(log_variance=False), tuples(over(0.3, 3.0, 2, target=counts)), label="variance"),
    ),
    "gaussian_mixture_nll": (
        LossCase(lambda: fn.gaussian_mixture_nll(), mixed((3,), 2)),
        LossCase(lambda: fn.gaussian_mixture_nll(), mixed((2, 2), 3), label="sequence"),
    ),
    "student_t_nll": (LossCase(lambda: fn.student_t_nll(2.5), tuples(pair(3))),),
    "gaussian_crps": (LossCase(lambda: fn.gaussian_crps(), tuples(pair(3))),),
    "gaussian_kl": (LossCase(lambda: fn.gaussian_kl(), untargeted((4,), (4,))),),
    "negative_elbo": (
        LossCase(lambda: fn.negative_elbo(), autoencoded),
        LossCase(lambda: fn.negative_elbo("gaussian", beta=0.3), autoencoded, label="gaussian"),
        LossCase(lambda: fn.negative_elbo("gaussian"), weighted(autoencoded), label="weighted"),
    ),
    "negative_log_likelihood": (
        LossCase(lambda: fn.negative_log_likelihood(), labelled(2, 3)),
        LossCase(
            lambda: fn.negative_log_likelihood(class_weight=(0.5, 2.0, 1.0), ignore_index=1), labelled(3), batch=6, label="all"
        ),
    ),
    "kl_divergence": (LossCase(lambda: fn.kl_divergence(), distributed(2, 3)),),
    "multi_margin": (
        LossCase(lambda: fn.multi_margin(), labelled(4, scale=1.0)),
        LossCase(lambda: fn.multi_margin(0.5, power=2), labelled(2, 3, scale=1.0), label="squared"),
    ),
    "dice": (LossCase(lambda: fn.dice(), over(0.05, 0.95, 2, 3, target=membership)),),
    "tversky": (LossCase(lambda: fn.tversky(0.2, 0.9, 0.5), over(0.05, 0.95, 2, 3, target=membership)),),
    "sigmoid_focal": (
        LossCase(lambda: fn.sigmoid_focal(), logits(3)),
        LossCase(lambda: fn.sigmoid_focal(0.5, 0.25), logits(3), label="alpha"),
        LossCase(lambda: fn.sigmoid_focal(0.0), logits(3), label="without focus"),
    ),
    "softmax_focal": (
        LossCase(lambda: fn.softmax_focal(), labelled(4)),
        LossCase(lambda: fn.softmax_focal(0.5, class_weight=(0.5, 2.0, 1.0)), labelled(2, 3), label="class weights"),
    ),
    "given_losses": (
        LossCase(lambda: fn.given_losses(), untargeted_losses(2)),
        LossCase(lambda: fn.given_losses(reduction="sum"), untargeted_losses(), label="sum"),
        LossCase(lambda: fn.given_losses(), weighted(untargeted_losses(2, 3)), label="weighted"),
    ),
    "cosine_embedding": (
        LossCase(lambda: fn.cosine_embedding(0.1), paired(3, target=signs), batch=6),
        LossCase(lambda: fn.cosine_embedding(), paired(2, 3, target=signs), label="sequence"),
    ),
    "contrastive": (
        LossCase(lambda: fn.contrastive(2.5), paired(3, target=lambda g, shape: g.integers(0, 2, shape).astype(float)), batch=6),
        LossCase(lambda: fn.contrastive(4.0), paired(2, 3, target=membership), label="sequence"),
    ),
    "triplet_margin": (LossCase(lambda: fn.triplet_margin(0.5), untargeted((2, 3), (2, 3), (2, 3))),),
    "info_nce": (
        LossCase(lambda: fn.info_nce(0.5), untargeted((3,), (3,)), batch=4),
        LossCase(lambda: fn.info_nce(0.2, symmetric=True), untargeted((3,), (3,)), batch=4, label="symmetric"),
        LossCase(lambda: fn.info_nce(), weighted(untargeted((3,), (3,))), batch=4, label="weighted"),
    ),
    "supervised_contrastive": (
        LossCase(lambda: fn.supervised_contrastive(0.5), grouped(3), batch=6),
        LossCase(lambda: fn.supervised_contrastive(0.7), weighted(grouped(3)), batch=6, label="weighted"),
    ),
    "load_balancing_loss": (
        LossCase(lambda: fn.load_balancing_loss(), one_untargeted(2, 3), batch=4),
        LossCase(lambda: fn.load_balancing_loss(), weighted(one_untargeted(4)), batch=5, label="weighted"),
    ),
    "router_z_loss": (
        LossCase(lambda: fn.router_z_loss(), one_untargeted(2, 3)),
        LossCase(lambda: fn.router_z_loss(reduction="sum"), weighted(one_untargeted(3)), label="weighted sum"),
    ),
    "barlow_twins": (
        LossCase(lambda: fn.barlow_twins(0.3), untargeted((3,), (3,)), batch=5),
        LossCase(lambda: fn.barlow_twins(eps=0.1), weighted(untargeted((2,), (2,))), batch=5, label="weighted"),
    ),
    "vicreg": (
        LossCase(lambda: fn.vicreg(), untargeted((3,), (3,)), batch=5),
        LossCase(lambda: fn.vicreg(covariance=3.0, eps=0.1), weighted(untargeted((2,), (2,))), batch=5, label="weighted"),
    ),
    "cox_nll": (
        LossCase(lambda: fn.cox_nll(), followed(1), batch=7),
        LossCase(lambda: fn.cox_nll("breslow"), followed(), batch=7, label="breslow"),
        LossCase(lambda: fn.cox_nll(), weighted(followed()), batch=7, label="weighted"),
    ),
    "ctc": (
        LossCase(lambda: fn.ctc(), transcribed, batch=4),
        LossCase(lambda: fn.ctc(), weighted(transcribed), batch=4, label="weighted"),
        LossCase(lambda: fn.ctc(), long_transcribed, batch=1, label="long"),
        LossCase(lambda: fn.ctc(per_label=True), transcribed, batch=4, label="per label"),
        LossCase(lambda: fn.ctc(zero_infinity=True), squeezed, batch=4, label="too long"),
    ),
}
