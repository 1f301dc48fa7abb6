"""Clustering as energies: soft k-means and mixtures of Gaussians with a prior.

Hard k-means has kinks where a row changes its cluster, and mixtures without a prior are unbounded
where a Gaussian closes on one row; both are smooth and bounded here. The labels of clusters are a
symmetry, K! images of every solution.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import (
    AbstractEnergy,
    ArgumentError,
    FreeSpace,
    NormalStart,
    Point,
    Scalar,
    SignedPermutation,
    SignedPermutationSymmetry,
    System,
)

Rows = Float[Array | np.ndarray, "rows features"]

_MOST_CLUSTERS = 8


class SoftKMeans(AbstractEnergy):
    """`-1/(nβ) Σ_r ln 1/K Σ_k exp(-β|x_r - c_k|²) + prior Σ_k |c_k - x̄|²`.

    The mean squared distance to the nearest centre as `β → ∞` (plus `ln K/β`). The prior keeps
    centres that own no row from drifting away.

    Attributes:
        rows: The data.
        clusters: K.
        beta: Inverse temperature, in inverse squared units of the data.
        prior: Weight of the squared distance from the mean of the data.

    Source: K. Rose, Proc. IEEE 86, 2210 (1998); L. Dicks and D. J. Wales, J. Chem. Phys. 156,
    054109 (2022) for the landscape of hard k-means.
    """

    rows: Float[Array, "rows features"]
    clusters: int = eqx.field(static=True)
    beta: float | Scalar = 10.0
    prior: float | Scalar = 1e-3

    def __call__(self, x: Point) -> Scalar:
        """The free energy a row of the centres `x`, `(clusters, features)` row by row."""
        centres = x.reshape(self.clusters, -1)
        square = jnp.sum((self.rows[:, None] - centres) ** 2, axis=2)
        soft = jax.nn.logsumexp(-self.beta * square, axis=1) - math.log(self.clusters)
        away = jnp.sum((centres - jnp.mean(self.rows, axis=0)) ** 2)
        return -jnp.mean(soft) / self.beta + self.prior * away

    def assign(self, x: Point) -> Float[Array, "rows clusters"]:
        """The share that each cluster has in each row."""
        centres = x.reshape(self.clusters, -1)
        square = jnp.sum((self.rows[:, None] - centres) ** 2, axis=2)
        return jax.nn.softmax(-self.beta * square, axis=1)


class GaussianMixture(AbstractEnergy):
    """Minus the log posterior a row of a mixture of K round Gaussians.

    Of each cluster: a logit, a mean and the logarithm of its width `σ`, blocks of
    `1 + features + 1` numbers. Priors: logits normal with standard deviation 2, means normal about
    that of the data with ten times its variance `s²` a feature, and a density
    `∝ exp(-2 ln σ - 0.05 s²/σ²)` of `ln σ`, which keeps a Gaussian from closing on one row.

    Attributes:
        rows: The data.
        clusters: K.

    Source: C. M. Bishop, Pattern Recognition and Machine Learning (Springer, 2006), section 9.2.
    """

    rows: Float[Array, "rows features"]
    clusters: int = eqx.field(static=True)

    def _split(self, x: Point) -> tuple[Array, Array, Array]:
        blocks = x.reshape(self.clusters, -1)
        return blocks[:, 0], blocks[:, 1:-1], blocks[:, -1]

    def _log_joint(self, x: Point) -> Float[Array, "rows clusters"]:
        logit, mean, log_width = self._split(x)
        features = self.rows.shape[1]
        square = jnp.sum((self.rows[:, None] - mean) ** 2, axis=2)
        log_density = -0.5 * square * jnp.exp(-2.0 * log_width) - features * log_width
        return jax.nn.log_softmax(logit) + log_density - 0.5 * features * math.log(2.0 * math.pi)

    def __call__(self, x: Point) -> Scalar:
        """Minus the log posterior of the parameters `x`, divided by the number of rows."""
        logit, mean, log_width = self._split(x)
        likelihood = jnp.sum(jax.nn.logsumexp(self._log_joint(x), axis=1))
        variance = jnp.mean(jnp.var(self.rows, axis=0))
        away = jnp.sum((mean - jnp.mean(self.rows, axis=0)) ** 2) / (10.0 * variance)
        widths = 2.0 * log_width + 0.05 * variance * jnp.exp(-2.0 * log_width)
        penalty = jnp.sum(logit**2) / 8.0 + 0.5 * away + jnp.sum(widths)
        return (penalty - likelihood) / self.rows.shape[0]

    def assign(self, x: Point) -> Float[Array, "rows clusters"]:
        """The probability of each cluster for each row."""
        return jax.nn.softmax(self._log_joint(x), axis=1)


def cluster_symmetry(clusters: int, block: int) -> SignedPermutationSymmetry:
    """All permutations of `clusters` blocks of `block` coordinates."""
    cells = np.arange(clusters * block).reshape(clusters, block)
    moved = [cells[[1, 0, *range(2, clusters)]], np.roll(cells, 1, axis=0)] if clusters > 1 else []
    return SignedPermutationSymmetry(
        clusters * block, [SignedPermutation.of(order.reshape(-1)) for order in moved]
    )


def kmeans_system(
    rows: Rows, clusters: int, *, beta: float = 10.0, prior: float = 1e-3, name: str = "kmeans"
) -> System:
    """Soft k-means of some data.

    Args:
        rows: The data, `(rows, features)`.
        clusters: K, at most 8 (all K! exchanges are looked at).
        beta: Inverse temperature, in inverse squared units of the data.
        prior: Weight of the squared distance of centres from the mean.
        name: Name of the system.

    Returns:
        The system; its points are the centres, `(clusters, features)` row by row.

    Raises:
        ArgumentError: if the data are not finite, or there are more clusters than 8 or than rows.
    """
    data = _checked(rows, clusters)
    features, scale = data.shape[1], float(np.std(data))
    centre = np.tile(data.mean(axis=0), clusters)
    return System(
        SoftKMeans(jnp.asarray(data), clusters, beta, prior),
        name=name,
        space=FreeSpace((clusters, features), extent=1e3 * float(np.max(np.abs(data)) + 1.0)),
        symmetry=cluster_symmetry(clusters, features),
        start=NormalStart(jnp.asarray(centre), scale=scale),
        length=0.3 * scale,
    )


def mixture_system(rows: Rows, clusters: int, *, name: str = "mixture") -> System:
    """The posterior of a mixture of round Gaussians.

    Args:
        rows: The data, `(rows, features)`.
        clusters: K, at most 8.
        name: Name of the system.

    Returns:
        The system; its points are blocks of logit, mean and log width, one a cluster.

    Raises:
        ArgumentError: as `kmeans_system`.
    """
    data = _checked(rows, clusters)
    scale = float(np.std(data))
    block = np.concatenate([[0.0], data.mean(axis=0), [math.log(0.5 * scale)]])
    return System(
        GaussianMixture(jnp.asarray(data), clusters),
        name=name,
        space=FreeSpace(
            (clusters, data.shape[1] + 2), extent=1e3 * float(np.max(np.abs(data)) + 1.0)
        ),
        symmetry=cluster_symmetry(clusters, data.shape[1] + 2),
        start=NormalStart(jnp.asarray(np.tile(block, clusters)), scale=0.7 * scale),
        length=0.3,
    )


def _checked(rows: Rows, clusters: int) -> np.ndarray:
    data = np.asarray(rows, float)
    if data.ndim != 2 or not data.size:
        raise ArgumentError(f"rows has the shape {data.shape}, expected (rows, features)")
    bad = np.flatnonzero(~np.isfinite(data).all(axis=1))
    if len(bad):
        raise ArgumentError(f"row {bad[0]} is not finite", "leave such rows out, or fill them in")
    if not np.std(data) > 0:
        raise ArgumentError("all rows are the same: there is nothing to tell apart")
    if not 1 <= clusters <= min(_MOST_CLUSTERS, len(data)):
        raise ArgumentError(
            f"clusters={clusters} must be from 1 to {min(_MOST_CLUSTERS, len(data))}",
            f"all K! exchanges of labels are looked at, up to K = {_MOST_CLUSTERS}",
        )
    return data
