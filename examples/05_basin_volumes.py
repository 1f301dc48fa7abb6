"""How big is the basin of the LJ7 bipyramid, and to whom? The gradient flow, L-BFGS and FIRE.

The volume is that of one labelled minimum in the 15 internal directions, among configurations whose
atoms all lie within 2 of their centroid. The minimiser is part of the definition: the same points
end elsewhere when another one takes them down. `SMOKE=1` makes fewer calls.
"""

import math
import os

import jax
import numpy as np

import thalweg as tw
from thalweg.core import start_points
from thalweg.sampling import BasinMembership, Container, SteepestDescent, basin_volume

tw.enable_float64()
SMOKE = bool(os.environ.get("SMOKE"))
CALLS = 8_000 if SMOKE else 60_000


def bipyramid(system):
    """The global minimum, from random starts."""
    ends = tw.quench_many(system, start_points(system, jax.random.key(0), 0, 64))
    lowest = int(np.argmin(np.where(ends.outcome == 0, ends.value, np.inf)))
    return tw.quench(system, ends.x[lowest]).value.x


def main():
    """Measure, and compare the answers for the same points."""
    system = tw.system("lj7")
    minimum = bipyramid(system)
    assert abs(float(system.energy(jax.numpy.asarray(minimum))) + 16.505384168) < 1e-8
    members = {
        "gradient flow": BasinMembership(system, minimum, SteepestDescent()),
        "L-BFGS": BasinMembership(system, minimum, tw.LBFGS()),
        "FIRE": BasinMembership(system, minimum, tw.FIRE()),
    }
    directions = members["gradient flow"].directions()
    u = 0.25 * np.asarray(jax.random.normal(jax.random.key(1), (2_000, len(directions))))
    answers = {
        name: member.many(jax.random.key(2), minimum + u @ directions)
        for name, member in members.items()
    }
    volumes = {}
    for number, (name, member) in enumerate(members.items()):
        differs = np.mean(answers[name] != answers["gradient flow"])
        volumes[name] = basin_volume(
            member,
            None,
            jax.random.fold_in(jax.random.key(3), number),
            calls=CALLS,
            region=Container(7, 2.0),
        )
        print(f"{name}: {volumes[name]}")
        print(
            f"  ⟨r²⟩ = {volumes[name].mean_square:.2f} ± {volumes[name].mean_square_error:.2f}; of "
            f"2,000 points near the minimum {100 * differs:.1f} % end elsewhere than by the flow"
        )
    assert all(volume.dim == 15 for volume in volumes.values())
    assert all(math.isfinite(volume.log_volume) for volume in volumes.values())
    assert np.any(answers["L-BFGS"] != answers["gradient flow"])


if __name__ == "__main__":
    main()
