"""The loss of the 3-H-4 network in NumPy, as a person without automatic differentiation writes it.

Parameters layer by layer, weights row by row, then biases: the order of `thalweg.learning.Mlp`.
"""

import numpy as np


class Loss:
    """Mean cross-entropy plus `l2 Σ p²`, and its gradient."""

    def __init__(self, path: str, l2: float):
        with np.load(path) as table:
            self.inputs, labels = table["inputs"], table["labels"]
        self.onehot, self.l2 = np.eye(4)[labels], l2

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """At flat parameters of any number of hidden units."""
        h = (len(x) - 4) // 8
        w1, b1 = x[: 3 * h].reshape(h, 3), x[3 * h : 4 * h]
        w2, b2 = x[4 * h : 8 * h].reshape(4, h), x[8 * h :]
        hidden = np.tanh(self.inputs @ w1.T + b1)
        logits = hidden @ w2.T + b2
        logits -= logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        total = odds.sum(axis=1, keepdims=True)
        value = float(np.mean(np.log(total[:, 0]) - np.sum(logits * self.onehot, axis=1)))
        slope = (odds / total - self.onehot) / len(self.inputs)
        back = (slope @ w2) * (1.0 - hidden**2)
        grad = [(back.T @ self.inputs).ravel(), back.sum(0), (slope.T @ hidden).ravel()]
        grad = np.concatenate([*grad, slope.sum(0)]) + 2.0 * self.l2 * x
        return value + self.l2 * float(x @ x), grad
