"""Free energies of two states under a force field and under the reference: a cycle closed by BAR.

Source: C. H. Bennett, J. Comput. Phys. 22, 245 (1976).
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import KJ, System, value_and_grad
from thalweg.forcefields.fitting import KCAL
from thalweg.forcefields.md import Langevin, run_md
from thalweg.sampling import bennett

from ._agreement_record import AgreementConfig

_SETTLE = 0.5
"""Time that runs take to forget where they began, in ps."""

_FRICTION = 10.0
"""In 1/ps."""


class Ensembles:
    """Samples of the reference about two minima, made once.

    Args:
        truth: The reference's system.
        masses: Of the atoms, in dalton.
        places: The two minima, flat, in nm.
        config: How much to sample.
    """

    def __init__(
        self,
        truth: System,
        masses: np.ndarray,
        places: Sequence[np.ndarray],
        config: AgreementConfig,
    ):
        self.truth = truth
        self.masses = masses
        self.places = places
        self.config = config
        self.beta = 1.0 / (KJ.boltzmann * config.temperature)
        self.samples = [self._sample(truth, k) for k in range(2)]

    def correction(self, system: System) -> dict[str, float]:
        """What turns its own difference between the states into the reference's, in kcal/mol.

        NaN where all runs left a state.
        """
        found = []
        for k in range(2):
            theirs, their_energies = self.samples[k]
            ours, our_energies = self._sample(system, k)
            if not (len(theirs) and len(ours)):
                return {"correction": math.nan, "correction_error": math.nan}
            forward = self.beta * (_energies(self.truth, ours) - our_energies)
            backward = self.beta * (_energies(system, theirs) - their_energies)
            found.append(bennett(forward, backward))
        (first, first_error), (second, second_error) = found
        unit = self.beta * KCAL
        return {
            "correction": (second - first) / unit,
            "correction_error": math.hypot(first_error, second_error) / unit,
        }

    def _sample(self, system: System, state: int) -> tuple[np.ndarray, np.ndarray]:
        """Geometries about a minimum, `(frames, dof)`, and their energies; none that left it."""
        config = self.config
        thin = max(1, round(config.spacing * 1e3))
        settle = math.ceil(_SETTLE * 1e3 / thin)
        path = run_md(
            system.energy,
            self.masses,
            self.places[state].reshape(-1, 3),
            Langevin(config.temperature, step=1.0, friction=_FRICTION),
            steps=(config.frames + settle) * thin,
            thin=thin,
            replicas=config.replicas,
            temperature=config.temperature,
            key=config.key + 17 * state,
        )
        x = path.positions[settle:].reshape(-1, self.places[state].size)
        energies = path.potential[settle:].reshape(-1)
        stays = np.isfinite(energies) & self._stayed(x, state)
        return x[stays], energies[stays]

    def _stayed(self, x: np.ndarray, state: int) -> np.ndarray:
        """Whether geometries are nearer to their own minimum than to the other."""
        symmetry = self.truth.symmetry
        far = np.array(
            [
                [symmetry.align(place, one)[1] if np.isfinite(one).all() else np.inf for one in x]
                for place in self.places
            ]
        )
        return far[state] < far[1 - state]


def _energies(system: System, x: np.ndarray) -> np.ndarray:
    """Energies `(frames,)`, in blocks of one shape."""
    width = 16
    padded = np.concatenate([x, np.repeat(x[-1:], -len(x) % width, axis=0)])
    program = jax.jit(lambda block: value_and_grad(system.energy, block)[0])
    parts = [program(jnp.asarray(padded[k : k + width].T)) for k in range(0, len(padded), width)]
    return np.concatenate([np.asarray(part) for part in parts])[: len(x)]
