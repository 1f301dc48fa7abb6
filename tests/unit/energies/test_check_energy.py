"""What a wrong energy is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import (
    AbstractEnergy,
    AbstractLaneEnergy,
    ClusterSymmetry,
    EnergyError,
    HostEnergy,
    PeriodicSpace,
    System,
    check_curvature,
    check_energy,
)


def bowl(x):
    return jnp.sum(x**2 + 0.1 * x**4)


@jax.custom_jvp
def liar(x):
    return bowl(x)


@liar.defjvp
def _liar_jvp(primals, tangents):
    (x,), (v,) = primals, tangents
    slope = jax.grad(bowl)(x)
    return bowl(x), jnp.sum(slope.at[3].multiply(1.01) * v)


class Careless(AbstractLaneEnergy):
    """Block methods that forget a term, a factor, or nothing."""

    value_factor: float = 1.0
    grad_factor: float = 1.0
    hvp_factor: float = 1.0

    def __call__(self, x):
        return bowl(x)

    def lane_value_and_grad(self, x):
        value, grad = jax.vmap(jax.value_and_grad(bowl), in_axes=-1, out_axes=(0, -1))(x)
        return self.value_factor * value, self.grad_factor * grad

    def lane_hvp(self, x, v):
        return self.hvp_factor * (2.0 + 1.2 * x**2) * v


class Hasty(AbstractEnergy):
    """Says its second derivatives itself, right or wrong."""

    factor: float = 1.0
    slope: float = 1.0

    def __call__(self, x):
        return bowl(x)

    def second_derivatives(self, x):
        return self.factor * jnp.diag(2.0 + 1.2 * x**2)

    def expansion(self, x):
        return bowl(x), self.slope * jax.grad(bowl)(x), self.second_derivatives(x)


def external(gradient):
    return HostEnergy(lambda x: (float(np.sum(x**2)), gradient(x)), 4)


@pytest.mark.parametrize(
    "energy", [bowl, Careless(), external(lambda x: 2 * x)], ids=["plain", "block", "external"]
)
def test_a_right_energy_passes(energy):
    check_energy(System(energy, (4,)))
    check_curvature(System(energy, (4,)))


@pytest.mark.parametrize(
    ("energy", "words"),
    [
        (lambda x: x, "expected a scalar|cannot be evaluated"),
        (lambda x: jnp.sum(x).astype(jnp.float32), "returns float32"),
        (lambda x: jnp.sum(x @ jnp.ones((7,))), "cannot be evaluated at a point of 4"),
        (lambda x: jnp.sum(x) * jnp.nan, "NaN or infinite at all 12"),
        (liar, "coordinate 3 of 4"),
        (Careless(value_factor=2.0, grad_factor=2.0), "block energy disagrees"),
        (Careless(grad_factor=0.5), "gradient does not belong"),
        (external(lambda x: -2 * x), "the sign is wrong"),
        (external(lambda x: 27.2114 * x), "units"),
        (external(lambda x: x[:2]), r"gradient of shape \(2,\)"),
        (HostEnergy(lambda x: (0.0, x), 5), "takes 5 coordinates"),
    ],
)
def test_a_wrong_energy_is_refused_with_the_reason(energy, words):
    with pytest.raises(EnergyError, match=words):
        check_energy(System(energy, (4,)))


def test_wrong_second_derivatives_are_refused():
    system = System(Careless(hvp_factor=-1.0), (4,))
    check_energy(system)
    with pytest.raises(EnergyError, match="Hessian-vector product"):
        check_curvature(system)


@pytest.mark.parametrize(
    ("energy", "words"),
    [(Hasty(factor=0.5), "Hessian of the energy's own"), (Hasty(slope=-1.0), "gradient of the")],
)
def test_a_wrong_expansion_is_refused(energy, words):
    check_curvature(System(Hasty(), (4,)))
    with pytest.raises(EnergyError, match=words):
        check_curvature(System(energy, (4,)))


def test_numbers_of_a_wrong_gradient_are_shown():
    with pytest.raises(EnergyError) as caught:
        check_energy(System(liar, (4,)))
    said, found = (float(word.rstrip(",")) for word in caught.value.message.split() if "." in word)
    assert said / found == pytest.approx(1.01, rel=1e-6)


def test_an_external_failure_is_quoted():
    def broken(x):
        if np.any(x != first):
            raise RuntimeError("out of licences")
        return 0.0, x

    system = System(HostEnergy(broken, 4), (4,))
    first = np.asarray(jnp.nan)
    with pytest.raises(EnergyError, match="out of licences"):
        check_energy(system)


@pytest.mark.parametrize(
    ("energy", "words"),
    [
        (lambda r: jnp.sum((r[0] - r[1]) ** 2) + 0.1 * jnp.sum(r[0] ** 2), "motion"),
        (lambda r: jnp.sum((r[0] - r[1]) ** 2) + 2 * jnp.sum((r[1] - r[2]) ** 2), "image"),
    ],
    ids=["not translation invariant", "labels matter"],
)
def test_a_symmetry_that_does_not_hold_is_refused(energy, words):
    with pytest.raises(EnergyError, match=words):
        check_energy(System(energy, (3, 3), symmetry=ClusterSymmetry((0, 0, 0))))


def test_an_energy_that_ignores_its_box_is_refused():
    space = PeriodicSpace(2, (1.0, 1.0, 1.0))
    energy = lambda r: jnp.sum((r[0] - r[1]) ** 2) + jnp.sum(r**2)
    with pytest.raises(EnergyError, match="wrapped"):
        check_energy(System(energy, space=space, length=3.0))


def test_a_hole_without_a_bottom_is_no_wrong_gradient():
    """Steps downhill end before differences of -1/r² lose their meaning."""
    check_energy(System(lambda x: -1.0 / jnp.sum(x * x), shape=(4,)))
