"""How single layers give the gradients of single examples without running once for each.

form.py         what is wanted of a gradient: itself, or its squared norm
square_sums.py  the sums of the squares of each entry
pairs.py        the factors of outer products
table.py        the rules, by the backward of the layers that they are for
linear.py       dense, linear, bilinear, maxout, einsum_dense, scales, prelu
convolution.py  convolutions, transposed and depthwise ones
norms.py        normalizations
embedding.py    embeddings, bags, positions, tied embeddings
recurrent.py    rnn, lstm, gru, trained_start
constant.py     frozen, stop_gradient
attention.py    self-attention, cross-attention
around.py       cells, lora, weight_norm, spectral_norm
"""
