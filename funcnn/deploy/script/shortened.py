"""Functions of the library in a form that is shorter, for arguments that are right and losses that are finite.

Each gives the same bits; the names are those of the module that it belongs to.
"""

from __future__ import annotations

SHORTENED = {
    "funcnn.kernels.arrays.dot": '''
def dot(a, b):
    """Return a @ b."""
    return a.dot(b)
''',
    "funcnn.kernels.arrays.as_matrix": '''
def as_matrix(x):
    """Return x with all axes but the last merged."""
    return x.reshape(-1, x.shape[-1])
''',
    "funcnn.kernels.arrays.matmul_last": '''
def matmul_last(x, weight):
    """Return x @ weight over the last axis of x, as one matrix product however many axes x has."""
    return as_matrix(x).dot(weight).reshape(*x.shape[:-1], weight.shape[1])
''',
    "funcnn.kernels.arrays.broadcastable_bias": '''
def broadcastable_bias(bias, y):
    """Return the bias, which is added to each row of y."""
    return bias
''',
    "funcnn.kernels.arrays.positive_part": '''
def positive_part(x):
    """Return x where it is positive, and 0 elsewhere."""
    return np.maximum(x, x.dtype.type(0))
''',
    "funcnn.kernels.arrays.absolute": '''
def absolute(x):
    """Return |x|."""
    return np.abs(x)
''',
    "funcnn.errors.is_plain": '''
def is_plain(x):
    """Tell whether x is an array."""
    return isinstance(x, np.ndarray)
''',
    "funcnn.losses.checks.check_labels": '''
def check_labels(labels, prediction):
    """Return labels as signed integers."""
    return labels.astype(np.intp, copy=False)
''',
    "funcnn.losses.checks.check_between": '''
def check_between(target, low, high, what):
    """Return numbers that are between two others."""
    return target
''',
    "funcnn.losses.checks.check_pair": '''
def check_pair(prediction, target, min_ndim=1):
    """Return a target that is like the prediction."""
    return target
''',
    "funcnn.losses.checks.check_probabilities": '''
def check_probabilities(target):
    """Return probabilities that sum to 1."""
    return target
''',
    "funcnn.losses.classification.softmax_cross_entropy.has_labels": '''
def has_labels(prediction, target):
    """Tell labels from probabilities."""
    return target.dtype.kind in "iu"
''',
    "funcnn.key.Key": '''
class Key:
    """A seed and the path of children that led here: it makes random numbers reproducible."""

    def child(self, index):
        """Return the child of this key with the given number."""
        return Key(self.entropy, (*self.path, index))

    def generator(self, skip=0):
        """Return a fresh generator; with skip it starts past so many numbers of type float32."""
        bits = np.random.PCG64(np.random.SeedSequence(self.entropy, spawn_key=self.path))
        generator = np.random.Generator(bits)
        if skip:
            bits.advance(skip // 2)
            if skip % 2:
                generator.random(dtype=np.float32)
        return generator
''',
    "funcnn.layer.modes.Train": '''
class Train:
    """The mode of training: it has the key of a step."""

    def child(self, index):
        """Return the mode of a layer, with a key of its own."""
        return Train(self.key.child(index))

    def all_reduce_sum(self, value):
        """Return the sum over all parts of the batch: here there is one."""
        return value

    def row_offset(self, rows):
        """Return which row of the batch is the first of these."""
        return 0

    def uniform(self, shape):
        """Draw numbers from [0, 1)."""
        return self.key.generator().random(shape, dtype=np.float32)

    def normal(self, shape):
        """Draw standard normal numbers."""
        return self.key.generator().standard_normal(shape, dtype=np.float32)
''',
}
