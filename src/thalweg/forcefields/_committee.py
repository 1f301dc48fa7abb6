"""Several force fields of the same atoms: their mean, and how far they disagree."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import (
    AbstractEnergy,
    AbstractNoisyEnergy,
    ArgumentError,
    Float,
    Point,
    PRNGKey,
    Scalar,
)

from ._forcefield import ForceField
from ._topology import Topology


class Committee(AbstractEnergy):
    """The mean of force fields, an energy like any other; its spread says where to doubt it.

    `thalweg.sampling.committee_energy(committee.members, ...)` samples its mean energy,
    `committee_weight` its mean weight.

    Attributes:
        members: The force fields.
    """

    members: tuple[ForceField, ...]

    def __init__(self, members: Sequence[ForceField]):
        """Put members together.

        Raises:
            ArgumentError: if there are fewer than two, or their topologies differ.
        """
        self.members = tuple(members)
        if len(self.members) < 2:
            raise ArgumentError(f"a committee of {len(self.members)}", "give at least two members")
        for place, member in enumerate(self.members):
            if member.topology != self.topology:
                raise ArgumentError(
                    f"members[{place}] is for other atoms than members[0]",
                    "fit all members for one topology",
                )

    @property
    def topology(self) -> Topology:
        """The atoms of all members."""
        return self.members[0].topology

    def energies(self, x: Point) -> Float[jax.Array, " members"]:
        """Of each member, in kJ/mol."""
        alike = len({jax.tree.structure(member) for member in self.members}) == 1
        shapes = {tuple(leaf.shape for leaf in jax.tree.leaves(member)) for member in self.members}
        if not (alike and len(shapes) == 1):
            return jnp.stack([member(x) for member in self.members])
        # One program for all of them, not one for each.
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *self.members)
        return jax.lax.map(lambda member: member(x), stacked)

    def __call__(self, x: Point) -> Scalar:
        """Mean energy, in kJ/mol."""
        return jnp.mean(self.energies(x))

    def spread(self, x: Point) -> Scalar:
        """Standard deviation of the members' energies, in kJ/mol.

        Energies may differ by a constant between fits; `force_spread` does not see it.
        """
        return jnp.std(self.energies(x), ddof=1)

    def forces(self, x: Point) -> Float[jax.Array, "n 3"]:
        """Mean force on each atom, in kJ/(mol nm)."""
        return -jax.grad(self)(x).reshape(-1, 3)

    def force_spread(self, x: Point) -> Float[jax.Array, " n"]:
        """Root mean square deviation of the members' forces on each atom, in kJ/(mol nm)."""
        forces = jax.jacrev(self.energies)(x).reshape(len(self.members), -1, 3)
        away = forces - jnp.mean(forces, axis=0)
        return jnp.sqrt(jnp.sum(away**2, axis=(0, 2)) / (len(self.members) - 1))

    def noisy(self, draws: int = 4) -> "CommitteeNoise":
        """The committee as a noisy energy.

        Args:
            draws: Members drawn, with replacement, for one energy.

        Raises:
            ArgumentError: if there are fewer than two draws: the variance is estimated from them.
        """
        if draws < 2:
            raise ArgumentError(f"draws={draws} must be at least 2: its variance is estimated")
        return CommitteeNoise(self, draws)


class CommitteeNoise(AbstractNoisyEnergy):
    """Members drawn at random as repeated measurements: unbiased for the committee's mean energy.

    Attributes:
        committee: The members.
        draws: How many are drawn for one energy.
    """

    committee: Committee
    draws: int = eqx.field(static=True)

    def __call__(self, key: PRNGKey, x: Point) -> tuple[Scalar, Scalar]:
        """One draw of the energy, and an estimate of the variance of such draws."""
        chosen = jax.random.randint(key, (self.draws,), 0, len(self.committee.members))
        values = self.committee.energies(x)[chosen]
        return jnp.mean(values), jnp.var(values, ddof=1) / self.draws
