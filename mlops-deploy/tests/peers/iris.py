"""Flowers, and what the model `iris` has to say about them, worked out a second time."""

import numpy as np

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]

ROWS = np.array(
    [
        [5.1, 3.5, 1.4, 0.2],
        [4.9, 3.0, 1.4, 0.2],
        [7.0, 3.2, 4.7, 1.4],
        [6.4, 3.2, 4.5, 1.5],
        [6.3, 3.3, 6.0, 2.5],
        [5.8, 2.7, 5.1, 1.9],
    ],
    dtype=np.float32,
)

_WEIGHTS = np.array(
    [
        [-0.424, 0.967, -2.517, -1.079, 9.850],
        [0.535, -0.322, -0.206, -0.944, 2.237],
        [-0.111, -0.646, 2.724, 2.024, -12.087],
    ]
)

_SCORES = ROWS.astype(np.float64) @ _WEIGHTS[:, :4].T + _WEIGHTS[:, 4]
_ODDS = np.exp(_SCORES - _SCORES.max(axis=1, keepdims=True))

CLASSES = _ODDS.argmax(axis=1)
PROBABILITIES = (_ODDS / _ODDS.sum(axis=1, keepdims=True)).max(axis=1)

# Fisher's own labels of these flowers: the model is a real one.
assert CLASSES.tolist() == [0, 0, 1, 1, 2, 2]


def same(classes, probabilities) -> None:
    """Each row's class exactly, its probability to what FP32 holds."""
    classes = np.asarray(classes)
    assert classes.dtype == np.int64 and classes.shape == (6,), classes
    assert classes.tolist() == CLASSES.tolist(), classes
    probabilities = np.asarray(probabilities)
    assert probabilities.shape == (6,), probabilities
    np.testing.assert_allclose(probabilities, PROBABILITIES, rtol=1e-6)
