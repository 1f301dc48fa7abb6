r"""Integrators: velocity Verlet, Langevin by BAOAB, and reversible multiple time stepping.

Sources: Swope, Andersen, Berens & Wilson, J. Chem. Phys. 76, 637 (1982); Leimkuhler & Matthews,
Appl. Math. Res. Express 2013, 34 (BAOAB); Tuckerman, Berne & Martyna, J. Chem. Phys. 97, 1990
(1992) (r-RESPA).
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import (
    KJ,
    AbstractEnergy,
    ArgumentError,
    Array,
    Float,
    Scalar,
    value_and_grad,
)

FEMTOSECOND = 1e-3
"""In ps, the unit of time of kJ/mol, nm and dalton."""

Moving = Float[Array, "dof replicas"]


class Motion(eqx.Module):
    """Where replicas are, and how fast; replicas last.

    Attributes:
        x: Positions, in nm.
        v: Velocities, in nm/ps.
        energy: Potential energies, in kJ/mol.
        gradient: Of the whole energy, in kJ/(mol nm).
        fast: Gradient of the fast part; `None` without multiple time steps.
    """

    x: Moving
    v: Moving
    energy: Float[Array, " replicas"]
    gradient: Moving
    fast: Moving | None


def _positive(name: str, value: float, *, zero: bool = False) -> Scalar:
    if not (value > 0 or (zero and value == 0)):
        raise ArgumentError(f"{name}={value!r} must be {'at least 0' if zero else 'positive'}")
    return jnp.asarray(value, float)


class AbstractIntegrator(eqx.Module):
    """A step in time.

    Attributes:
        step: Its length, in fs.
    """

    step: eqx.AbstractVar[Scalar]

    @abc.abstractmethod
    def advance(self, energy: AbstractEnergy, mass: Array, now: Motion, keys: Array) -> Motion:
        """One step of all replicas; `keys` are fresh for each step."""

    def start(self, energy: AbstractEnergy, x: Moving, v: Moving) -> Motion:
        """The first state."""
        value, gradient = value_and_grad(energy, x)
        return Motion(x, v, value, gradient, None)


class VelocityVerlet(AbstractIntegrator):
    """Constant energy: symplectic and reversible, with an error of order step².

    Attributes:
        step: In fs.
    """

    step: Scalar

    def __init__(self, step: float = 0.5):
        """Check the step.

        Raises:
            ArgumentError: if it is not positive.
        """
        self.step = _positive("step", step)

    def advance(self, energy: AbstractEnergy, mass: Array, now: Motion, keys: Array) -> Motion:
        """Kick, drift, kick."""
        dt = self.step * FEMTOSECOND
        v = now.v - 0.5 * dt * now.gradient / mass
        x = now.x + dt * v
        value, gradient = value_and_grad(energy, x)
        return Motion(x, v - 0.5 * dt * gradient / mass, value, gradient, None)


class Langevin(AbstractIntegrator):
    """Constant temperature: Langevin dynamics by BAOAB.

    Positions in a harmonic well have the exact variance at any stable step.

    Attributes:
        step: In fs.
        temperature: In K.
        friction: In 1/ps.
    """

    step: Scalar
    temperature: Scalar
    friction: Scalar

    def __init__(self, temperature: float, step: float = 0.5, friction: float = 1.0):
        """Check them.

        Raises:
            ArgumentError: if one is not positive (the temperature and friction may be 0).
        """
        self.step = _positive("step", step)
        self.temperature = _positive("temperature", temperature, zero=True)
        self.friction = _positive("friction", friction, zero=True)

    def advance(self, energy: AbstractEnergy, mass: Array, now: Motion, keys: Array) -> Motion:
        """Kick, drift, heat bath, drift, kick."""
        dt = self.step * FEMTOSECOND
        v = now.v - 0.5 * dt * now.gradient / mass
        x, v = _drift_and_bath(now.x, v, mass, dt, self.temperature, self.friction, keys)
        value, gradient = value_and_grad(energy, x)
        return Motion(x, v - 0.5 * dt * gradient / mass, value, gradient, None)


class Respa(AbstractIntegrator):
    """Reversible multiple time steps: a cheap energy inside, the rest outside.

    The slow force is that of the whole energy less that of `fast`; it kicks every `step`, and
    between kicks `fast` alone moves the atoms, `inner` times. With a temperature the inner steps
    are BAOAB, else velocity Verlet. Slow forces whose period is about `2 step` resonate: keep
    `step` below a third of the shortest period of the difference.

    Attributes:
        fast: Energy of the inner steps: a part of the whole, or an approximation of it.
        inner: Inner steps in each outer one.
        step: The outer step, in fs.
        temperature: In K; `None`: constant energy.
        friction: In 1/ps.
    """

    fast: AbstractEnergy
    inner: int = eqx.field(static=True)
    step: Scalar
    temperature: Scalar | None
    friction: Scalar

    def __init__(
        self,
        fast: AbstractEnergy,
        inner: int,
        step: float = 2.0,
        *,
        temperature: float | None = None,
        friction: float = 1.0,
    ):
        """Check them.

        Raises:
            ArgumentError: if a number makes no sense.
        """
        if inner < 1:
            raise ArgumentError(f"inner={inner} must be at least 1")
        self.fast = fast
        self.inner = inner
        self.step = _positive("step", step)
        self.temperature = (
            None if temperature is None else _positive("temperature", temperature, zero=True)
        )
        self.friction = _positive("friction", friction, zero=True)

    def start(self, energy: AbstractEnergy, x: Moving, v: Moving) -> Motion:
        """The first state, with both gradients."""
        value, gradient = value_and_grad(energy, x)
        return Motion(x, v, value, gradient, value_and_grad(self.fast, x)[1])

    def advance(self, energy: AbstractEnergy, mass: Array, now: Motion, keys: Array) -> Motion:
        """A slow kick, the inner steps, a slow kick."""
        outer = self.step * FEMTOSECOND
        dt = outer / self.inner
        assert now.fast is not None
        v = now.v - 0.5 * outer * (now.gradient - now.fast) / mass

        def inner(k: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            x, v, fast = carry
            v = v - 0.5 * dt * fast / mass
            if self.temperature is None:
                x = x + dt * v
            else:
                fresh = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, k)
                x, v = _drift_and_bath(x, v, mass, dt, self.temperature, self.friction, fresh)
            fast = value_and_grad(self.fast, x)[1]
            return x, v - 0.5 * dt * fast / mass, fast

        x, v, fast = jax.lax.fori_loop(0, self.inner, inner, (now.x, v, now.fast))
        value, gradient = value_and_grad(energy, x)
        v = v - 0.5 * outer * (gradient - fast) / mass
        return Motion(x, v, value, gradient, fast)


def _drift_and_bath(
    x: Array, v: Array, mass: Array, dt: Array, temperature: Array, friction: Array, keys: Array
) -> tuple[Array, Array]:
    """Half a drift, the exact Ornstein-Uhlenbeck process of the velocities, half a drift."""
    x = x + 0.5 * dt * v
    keep = jnp.exp(-friction * dt)
    noise = jax.vmap(lambda key: jax.random.normal(key, x.shape[:1], x.dtype), out_axes=-1)(keys)
    v = keep * v + jnp.sqrt((1 - keep**2) * KJ.boltzmann * temperature / mass) * noise
    return x + 0.5 * dt * v, v
