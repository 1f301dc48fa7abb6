"""Soft spheres: Hertzian contacts and rattlers.

C. S. O'Hern, L. E. Silbert, A. J. Liu and S. R. Nagel, Phys. Rev. E 68, 011306 (2003): a sphere
without contacts in a jammed packing has three zero modes of its own.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import start_points
from thalweg.energies import system
from thalweg.search import certify_many, quench_many


def overlaps(built, x):
    """`1 - r/σ` of all pairs, positive where they overlap; the diagonal is -1."""
    edge, r = np.array(built.space.box), x.reshape(-1, 3)
    d = r[:, None] - r
    d -= edge * np.round(d / edge)
    diameter = np.array([1.0, 1.4])[list(built.energy.species)]
    contact = 0.5 * (diameter[:, None] + diameter)
    return np.where(np.eye(len(r)) > 0, -1.0, 1.0 - np.linalg.norm(d, axis=2) / contact)


def test_the_energy_of_overlaps():
    built = system("hertz32")
    x = np.asarray(built.start(jax.random.key(0)))
    overlap = np.maximum(np.triu(overlaps(built, x), 1), 0.0)
    assert np.sum(overlap > 0) > 20
    direct = 0.4 * np.sum(overlap**2.5)
    assert float(built.energy(jnp.asarray(x))) == pytest.approx(direct, rel=1e-12)
    volume = np.pi / 6 * (16 + 16 * 1.4**3)
    assert volume / np.prod(built.space.box) == pytest.approx(0.7)


@pytest.mark.slow
def test_rattlers_are_the_unexplained_zero_modes():
    built = system("hertz32-phi0.66")
    first = np.asarray(start_points(built, jax.random.key(3), 0, 48))
    ended = quench_many(built, first)
    rattling = []
    for found in certify_many(built, ended.x, 0):
        certificate = found.certificate
        if certificate.outcome.name not in {"success", "unexplained_zero_modes"}:
            continue
        free = int(np.sum(np.max(overlaps(built, found.x), axis=1) <= 0))
        surplus = certificate.zero_modes - certificate.expected_zero_modes
        # Marginal packings have collective zero modes besides.
        assert surplus >= 3 * free
        assert (certificate.outcome.name == "success") == (surplus == 0)
        rattling.append(free)
    assert len(rattling) > 20
    assert max(rattling) > 0
