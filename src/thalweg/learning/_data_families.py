"""Families of the catalogue: clustering, Gaussian processes and non-linear regression."""

import re

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import System, UnknownSystemError
from thalweg.energies import Family

from ._clusters import kmeans_system, mixture_system
from ._gaussian_process import gaussian_process_system
from ._waves import waves_system


def iris() -> np.ndarray:
    """Fisher's irises: four lengths in centimetres of 150 flowers, `(150, 4)`."""
    from sklearn.datasets import load_iris

    return np.asarray(load_iris(return_X_y=True)[0], float)


def _clusters(name: str, text: str) -> int:
    count = int(text)
    if not 1 <= count <= 8:
        raise UnknownSystemError(f"{name!r} would have {count} clusters", "take 1 to 8")
    return count


def _kmeans(name: str, match: re.Match[str]) -> System:
    clusters = _clusters(name, match[1])
    return kmeans_system(iris(), clusters, beta=float(match[2] or 20.0), name=name)


def _mixture(name: str, match: re.Match[str]) -> System:
    return mixture_system(iris(), _clusters(name, match[1]), name=name)


def wavy_rows(rows: int, features: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs uniform in `[-2, 2]`, targets `Σ_k sin(2 x_k)/k²` with noise of 0.2, mean removed."""
    first, second = jax.random.split(jax.random.key(seed))
    x = jax.random.uniform(first, (rows, features), jnp.float64, -2.0, 2.0)
    weight = 1.0 / np.arange(1.0, features + 1.0) ** 2
    y = jnp.sin(2.0 * x) @ weight + 0.2 * jax.random.normal(second, (rows,), jnp.float64)
    return np.asarray(x), np.asarray(y - jnp.mean(y))


def _gaussian_process(name: str, match: re.Match[str]) -> System:
    rows, features = int(match[2]), int(match[3] or 1)
    if not (5 <= rows <= 500 and 1 <= features <= 20):
        raise UnknownSystemError(
            f"{name!r} would have {rows} rows of {features} inputs",
            "take 5 to 500 rows of 1 to 20 inputs",
        )
    inputs, targets = wavy_rows(rows, features, int(match[4] or 0))
    return gaussian_process_system(
        inputs, targets, kernel=match[1], relevance=features > 1, name=name
    )


def _waves(name: str, match: re.Match[str]) -> System:
    return waves_system(float(match[1] or 0.0), int(match[2] or 0), name=name)


_NUMBER = r"(\d+(?:\.\d+)?)"

DATA_FAMILIES = (
    Family(
        "kmeans-iris<K>-b<B>",
        "kmeans-iris3",
        rf"kmeans-iris(\d)(?:-b{_NUMBER})?",
        "soft k-means of Fisher's irises, K ≤ 8 clusters, inverse temperature B (20)",
        _kmeans,
    ),
    Family(
        "mixture-iris<K>",
        "mixture-iris2",
        r"mixture-iris(\d)",
        "posterior of a mixture of K ≤ 8 round Gaussians of Fisher's irises",
        _mixture,
    ),
    Family(
        "gp-<kernel>-n<N>-d<D>-s<S>",
        "gp-rbf-n20",
        r"gp-(rbf|matern)-n(\d+)(?:-d(\d+))?(?:-s(\d+))?",
        "hyper-parameters of a Gaussian process, kernel rbf or matern, N rows of D (1) inputs",
        _gaussian_process,
    ),
    Family(
        "waves-noise<σ>-s<S>",
        "waves-noise0.02",
        rf"waves(?:-noise{_NUMBER})?(?:-s(\d+))?",
        "fit of a damped product of two sines to 100 data with noise σ (0), seed S (0)",
        _waves,
    ),
)
