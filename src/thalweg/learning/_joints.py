"""Losses of things that are not networks: a circuit's task, and a force field's fit."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import ArgumentError, HiddenLayer, NetworkSymmetry, System

from ._data import LearningData
from ._systems import loss_system

if TYPE_CHECKING:  # each takes half a second to import, and few losses need them
    from thalweg.forcefields import ForceField
    from thalweg.forcefields.fitting import Dataset

_KCAL_ANGSTROM = 41.84
"""kcal/(mol Å) in kJ/(mol nm)."""


class CircuitReadout(eqx.Module):
    """A normalising circuit at rest, read out linearly: what it answers to an input.

    Unit `j` is driven by `z_j = D_j0 + Σ_k D_jk x_k` and rests at
    `y_j = z_j / √(1 + Σ_k W_jk z_k²)`, the fixed point of ORGaNICs with `W_r = I`. Each unit's
    pool weighs the unit itself by `exp(u₀)` and all others by `exp(u₁)`; were they equal, the
    units could be rotated into one another.
    Parameters are `drive` (units, inputs + 1), `pool` `u`, `readout` (outputs, units) and `offset`
    (outputs,).

    Attributes:
        circuit: `thalweg.circuits.Organics`, whose pool weights are replaced.
    """

    circuit: Any

    def __call__(
        self, params: dict[str, Array], inputs: Float[Array, "n inputs"]
    ) -> Float[Array, "n outputs"]:
        """Answers to rows of inputs."""
        drives = inputs @ params["drive"][:, 1:].T + params["drive"][:, 0]
        n = self.circuit.n
        own, others = jnp.exp(params["pool"])
        weights = others + (own - others) * jnp.eye(n)
        circuit = eqx.tree_at(lambda c: c.W, self.circuit, weights)
        rates = jax.vmap(lambda z: circuit.normalised(z)[:n])(drives)
        return rates @ params["readout"].T + params["offset"]


def circuit_loss_system(
    units: int, data: LearningData, *, l2: float, name: str = "circuit", **wishes: Any
) -> System:
    """The loss of a small ORGaNICs circuit on a static task, over its drives, pool and readout.

    Units are alike: exchanging two of them, or changing the sign of one with its drive and its
    readout, leaves the loss unchanged.

    Args:
        units: Principal units.
        data: What the readout at rest is fitted to.
        l2: Strength of the penalty on all parameters.
        name: What the system is called.
        wishes: Further arguments of `loss_system`, such as `criterion`.

    Raises:
        ArgumentError: if there are no units, or the data do not fit the criterion.
    """
    from thalweg.circuits import Organics

    if units < 1:
        raise ArgumentError(f"units={units}: a circuit has at least one")
    inputs = data.inputs.shape[1]
    outputs = data.classes or data.targets.shape[1]
    params = {
        "drive": jnp.zeros((units, inputs + 1)),
        "offset": jnp.zeros(outputs),
        "pool": jnp.zeros(2),
        "readout": jnp.zeros((outputs, units)),
    }
    # The flat vector holds the leaves in the order of their names.
    ends = np.cumsum([leaf.size for leaf in jax.tree.leaves(params)])
    drive = np.arange(ends[0]).reshape(units, inputs + 1)
    readout = np.arange(ends[2], ends[3]).reshape(outputs, units)
    symmetry = NetworkSymmetry((HiddenLayer(drive, readout.T, "odd"),))
    model = CircuitReadout(Organics(np.ones((units, units))))
    return loss_system(model, params, data, l2=l2, symmetry=symmetry, name=name, **wishes)


class ForcePrediction(eqx.Module):
    """Forces of a force field, as a model whose parameters are the moves of a fit.

    Attributes:
        parameters: `thalweg.forcefields.fitting.Parameters`.
    """

    parameters: Any

    def __call__(
        self, params: dict[str, Array], inputs: Float[Array, "n dof"]
    ) -> Float[Array, "n dof"]:
        """Forces on rows of flat geometries in nm, in kcal/(mol Å)."""
        field = self.parameters.force_field(params)
        return -jax.vmap(jax.grad(field))(inputs) / _KCAL_ANGSTROM


def forcefield_loss_system(
    force_field: "ForceField",
    dataset: "Dataset",
    *,
    l2: float,
    name: str = "forcefield",
    **wishes: Any,
) -> System:
    """The loss of a force-field fit: mean squared force error of a frame and a prior.

    A point holds the moves of `thalweg.forcefields.fitting.Parameters`: a parameter of physical
    meaning is `p₀ exp(s u)` or `p₀ + s u`, and `l2 Σ u²` is its normal prior.

    Args:
        force_field: A `thalweg.forcefields.ForceField`, at the values that the prior is centred on.
        dataset: `thalweg.forcefields.fitting.Dataset` with forces.
        l2: Strength of the prior.
        name: What the system is called.
        wishes: Further arguments of `loss_system`, such as `symmetry`.

    Raises:
        ArgumentError: if a frame has no forces, or the force field has nothing to fit.
    """
    from thalweg.forcefields.fitting import Parameters

    parameters = Parameters(force_field)
    data = LearningData(
        np.asarray(dataset.points),
        np.asarray(dataset.forces).reshape(len(dataset), -1) / _KCAL_ANGSTROM,
    )
    moves = {move: jnp.asarray(value, float) for move, value in parameters.start().items()}
    model = ForcePrediction(parameters)
    wishes = {"criterion": "squared-error"} | wishes
    return loss_system(model, moves, data, l2=l2, name=name, **wishes)


_FORMALDEHYDE = np.array(
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.121], [0.0, 0.094, -0.0587], [0.0, -0.094, -0.0587]]
)
"""C, O, H, H in nm."""

_FRAMES, _SPREAD = 24, 0.006
"""Geometries to fit, and their standard deviation about the minimum, in nm."""

_TRUE_CHARGES = (0.45, -0.55, 0.05)
_SMEARING = 0.02
"""Charges of C, O and H in e, and the buffer in nm of the law that makes the labels."""


def formaldehyde_charges() -> "tuple[ForceField, Dataset]":
    """Point charges to fit, and forces to fit them to, made here by a softened law.

    Forces of charges depend on their products alone, so a fit cannot tell a set of charges from
    its negative: the loss has mirror images as minima, and a way between them.

    Returns:
        The force field with charges zero, and a `Dataset` of 24 geometries.
    """
    from thalweg.forcefields import Coulomb, ForceField, PairRule, Topology
    from thalweg.forcefields.fitting import Dataset

    numbers = [6, 8, 1, 1]
    topology = Topology.from_bonds(
        numbers, [(0, 1), (0, 2), (0, 3)], masses=[12.011, 15.999, 1.008, 1.008]
    )
    rule = PairRule.but(np.zeros((0, 2), int))
    kinds = jnp.asarray([0, 1, 2, 2])
    noise = jax.random.normal(jax.random.key(0), (_FRAMES, 4, 3))
    frames = _FORMALDEHYDE + _SPREAD * np.asarray(noise, float)
    truth = Coulomb(rule, kinds, jnp.asarray(_TRUE_CHARGES), buffer=_SMEARING)
    labelling = ForceField(topology, {"charges": truth})
    forces = jax.vmap(labelling.forces)(jnp.asarray(frames.reshape(_FRAMES, -1)))
    dataset = Dataset.of(numbers, frames, forces=np.asarray(forces), method="softened charges")
    blank = Coulomb(rule, kinds, jnp.zeros(3))
    return ForceField(topology, {"charges": blank}), dataset
