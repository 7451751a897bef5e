"""Layers, one formula a file: derivation, Params, Residuals, init, forward, backward, and the public factory last.

Nothing is re-exported here, so that ``funcnn.dense`` is the factory and ``funcnn.layers.linear.dense`` its module.

::

    activations/algebraic.py                        softsign, squareplus
    activations/clipped.py                          hard_sigmoid, hard_swish, hard_tanh, relu6
    activations/entmax15.py                         entmax15
    activations/exponential.py                      exponential
    activations/exponential_units.py                celu, selu
    activations/gated.py                            geglu, glu, reglu, swiglu
    activations/gelu.py                             gelu
    activations/log_cosh.py                         log_cosh
    activations/mish.py                             mish
    activations/periodic.py                         sine, snake
    activations/prelu.py                            prelu
    activations/rectifiers.py                       elu, leaky_relu, relu
    activations/relu_squared.py                     relu_squared
    activations/rrelu.py                            rrelu
    activations/shrinkage.py                        hardshrink, softshrink, tanhshrink, threshold
    activations/sigmoids.py                         log_sigmoid, quick_gelu, sigmoid, silu, softplus, tanh
    activations/softmax.py                          log_softmax, softmax
    activations/softmin.py                          softmin
    activations/sparsemax.py                        sparsemax
    attention/attention.py                          attention, attention_without_bias
    attention/attention_weights.py                  attention_weights
    attention/attention_with_scores.py              attention_with_mask, attention_with_score_bias
    attention/attention_without_output_bias.py      attention_without_output_bias
    attention/cross_attention.py                    cross_attention, cross_attention_without_bias
    attention/qk_norm_attention.py                  qk_norm_attention, qk_norm_attention_without_bias
    attention/rotary.py                             Rotary, rotary_positions
    attention/rotary_scaling.py                     LinearScaling, Llama3Scaling, NTKScaling, YarnScaling
    attention/scaled_dot_product.py                 scaled_dot_product, scaled_dot_product_with_bias,
                                                    scaled_dot_product_with_mask
    attention/scores.py                             AttentionScores
    convolution/convolution.py                      conv1d, conv2d, conv3d
    convolution/depthwise.py                        depthwise_conv1d, depthwise_conv2d, separable_conv1d, separable_conv2d
    convolution/patch_embedding.py                  patch_embedding
    convolution/transposed_convolution.py           conv_transpose1d, conv_transpose2d, conv_transpose3d
    convolution/without_bias.py                     conv1d_without_bias, conv2d_without_bias, conv3d_without_bias,
                                                    conv_transpose1d_without_bias, conv_transpose2d_without_bias,
                                                    conv_transpose3d_without_bias, depthwise_conv1d_without_bias,
                                                    depthwise_conv2d_without_bias, separable_conv1d_without_bias,
                                                    separable_conv2d_without_bias
    embedding/embedding.py                          embedding
    embedding/bags_from_offsets.py                  bags_from_offsets
    embedding/embedding_bag.py                      embedding_bag
    embedding/fourier_features.py                   fourier_features
    embedding/positions.py                          learned_positions, sinusoidal_positions
    embedding/tied_embedding.py                     tied_embedding
    embedding/tied_cross_entropy.py                 tied_cross_entropy
    embedding/weighted_embedding_bag.py             weighted_embedding_bag
    linear/bilinear.py                              bilinear
    linear/dense.py                                 dense
    linear/distances.py                             cosine_similarity, pairwise_distance
    linear/einsum_dense.py                          einsum_dense
    linear/film.py                                  film, modulate
    linear/graph_convolution.py                     graph_convolution
    linear/linear.py                                linear
    linear/linear_cross_entropy.py                  linear_cross_entropy
    linear/maxout.py                                maxout
    linear/scale.py                                 affine, scale
    linear/spline.py                                spline
    noise/alpha_dropout.py                          alpha_dropout
    noise/dropout.py                                dropout
    noise/gaussian_noise.py                         gaussian_noise
    noise/gaussian_sample.py                        gaussian_sample
    noise/gumbel_softmax.py                         gumbel_softmax
    noise/spatial_dropout.py                        spatial_dropout
    noise/stochastic_depth.py                       stochastic_depth
    normalization/batch_norm.py                     batch_norm
    normalization/batch_norm_of_batch.py            batch_norm_without_statistics
    normalization/group_norm.py                     group_norm
    normalization/instance_norm.py                  instance_norm
    normalization/instance_norm_with_statistics.py  instance_norm_with_statistics
    normalization/layer_norm.py                     layer_norm
    normalization/local_response_norm.py            local_response_norm
    normalization/rms_norm.py                       rms_norm
    normalization/unit_norm.py                      unit_norm
    normalization/without_affine.py                 batch_norm_without_affine, group_norm_without_affine,
                                                    instance_norm_without_affine, layer_norm_without_affine,
                                                    layer_norm_without_shift, rms_norm_without_scale
    pooling/adaptive_max_with_indices.py            adaptive_max_pool_with_indices
    pooling/adaptive_pooling.py                     adaptive_avg_pool, adaptive_max_pool
    pooling/average_pooling.py                      avg_pool1d, avg_pool2d, avg_pool3d
    pooling/fractional_max_pooling.py               fractional_max_pool, fractional_max_pool_with_indices
    pooling/global_pooling.py                       global_avg_pool, global_max_pool
    pooling/last_step.py                            last_step
    pooling/max_pooling.py                          max_pool1d, max_pool2d, max_pool3d
    pooling/max_unpooling.py                        Pooled, max_pool_with_indices, max_unpool
    pooling/mean_steps.py                           mean_steps
    pooling/power_pooling.py                        lp_pool1d, lp_pool2d, lp_pool3d
    recurrent/cells.py                              gru_cell, lstm_cell, rnn_cell
    recurrent/conv_lstm.py                          conv_lstm
    recurrent/gru.py                                gru
    recurrent/lstm.py                               lstm
    recurrent/peephole_lstm.py                      peephole_lstm
    recurrent/projected_lstm.py                     projected_lstm
    recurrent/selective_scan.py                     selective_scan
    recurrent/simple_rnn.py                         rnn
    shape/affine_grid.py                            affine_grid
    shape/channel_shuffle.py                        channel_shuffle
    shape/crop.py                                   crop
    shape/grid_sample.py                            grid_sample
    shape/identity.py                               identity
    shape/pad.py                                    pad
    shape/pixel_shuffle.py                          pixel_shuffle, pixel_unshuffle
    shape/reshape.py                                flatten, reshape
    shape/resize.py                                 resize, resize_by
    shape/slice_axis.py                             slice_axis
    shape/squeeze.py                                expand_dims, squeeze
    shape/transpose.py                              transpose
    shape/unfold.py                                 fold, unfold
    shape/upsample.py                               upsample
    surrogate/gradient_reversal.py                  gradient_reversal
    surrogate/straight_through.py                   straight_through

What a folder holds besides is shared by its layers: ``elementwise``, ``pooling``, ``recurrent``, ``heads``.  The arithmetic that
layers of several families share stands in :mod:`funcnn.kernels`.
"""
