"""Cases of ready models, and of the layers that they alone need: small settings of the same architecture."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import normals
from funcnn.certificate.cases.embedding import below

MODELS: dict[str, tuple[LayerCase, ...]] = {
    "gaussian_sample": (
        LayerCase(fn.gaussian_sample, ((4,), (4,)), inputs=normals),
        LayerCase(fn.gaussian_sample, ((2, 5), (2, 5)), inputs=normals, label="two axes"),
    ),
    "shared": (
        LayerCase(lambda: fn.shared(fn.dense(2)), ((4,), (4,)), inputs=normals),
        LayerCase(lambda: fn.shared(fn.dense(3) >> fn.dropout(0.4)), ((3,), (3,)), inputs=normals, label="random"),
    ),
    "mlp": (
        LayerCase(lambda: fn.mlp(5, 4, 2, activation="silu", dropout=0.3), (3,)),
        LayerCase(lambda: fn.mlp(2), (3,), label="no hidden layer"),
    ),
    "lenet5": (
        LayerCase(lambda: fn.lenet5(2), (12, 12, 1), batch=1, method="screen"),
        LayerCase(lambda: fn.lenet5(3, activation="relu", pooling="max"), (12, 14, 1), batch=1, method="screen", label="max"),
    ),
    "convnet": (
        LayerCase(
            lambda: fn.convnet(2, channels=(2, 3), dropout=0.2), (4, 5, 1), independent=False, smooth=False, method="screen"
        ),
    ),
    "resnet": (
        LayerCase(lambda: fn.resnet(8, 3, channels=2), (5, 4, 2), batch=2, independent=False, smooth=False, method="screen"),
    ),
    "autoencoder": (
        LayerCase(lambda: fn.autoencoder(4, hidden=(3,), latent_size=2), (4,)),
        LayerCase(lambda: fn.autoencoder(3, hidden=(), latent_size=2, output="sigmoid"), (3,), label="sigmoid"),
    ),
    "vae": (LayerCase(lambda: fn.vae(4, hidden=(3,), latent_size=2), (4,)),),
    "vae_decoder": (LayerCase(lambda: fn.vae_decoder(4, hidden=(3,)), (2,)),),
    "char_rnn": (
        LayerCase(lambda: fn.char_rnn(3, features=2, embedding_size=2, dropout=0.3), (4,), batch=2, inputs=below(3)),
        LayerCase(lambda: fn.char_rnn(3, cell="gru", features=2, embedding_size=2), (3,), batch=2, inputs=below(3), label="gru"),
        LayerCase(
            lambda: fn.char_rnn(3, cell="rnn", features=2, embedding_size=2, layers=2),
            (3,),
            batch=2,
            inputs=below(3),
            label="rnn",
        ),
    ),
    "unet": (
        LayerCase(
            lambda: fn.unet(2, channels=(2, 3), blocks=1), (4, 6, 1), batch=2, independent=False, smooth=False, method="screen"
        ),
    ),
    "siamese": (LayerCase(lambda: fn.siamese(4, 2, activation="tanh", dropout=0.2), ((3,), (3,)), inputs=normals),),
}
