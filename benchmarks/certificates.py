"""Certifying a thousand circuits in one call, beside a loop in NumPy."""

import time

import jax
import numpy as np
from _report import Report, median, ratio

import thalweg
from thalweg.circuits import Organics
from thalweg.dynamics import certify_batch

thalweg.enable_float64()


def run(*, quick: bool) -> Report:
    """Circuits of 8 and 64 units with `W_r = I`: the proof, all eigenvalues, and the loop."""
    report = Report("certificates", "Seconds to certify circuits, all of them in turns")
    count, repeats = (50, 1) if quick else (1000, 3)
    for n in (8, 64):
        circuits, drives = _circuits(count, n)
        sides = {
            "Thalweg, proof": lambda c=circuits, z=drives: certify_batch(c, z).verdicts == "stable",
            "Thalweg, spectrum": lambda c=circuits, z=drives: (
                certify_batch(c, z, mode="spectrum", workers=1).verdicts == "stable"
            ),
            "NumPy loop, spectrum": lambda c=circuits, z=drives: _spectrum_loop(c, z),
            "NumPy loop, inequality": lambda c=circuits, z=drives: _inequality_loop(c, z),
        }
        taken: dict[str, list[float]] = {side: [] for side in sides}
        stable = {}
        for certify in sides.values():
            certify()  # compiles
        for _ in range(repeats):
            for side, certify in sides.items():
                began = time.process_time()
                stable[side] = int(np.sum(certify()))
                taken[side].append(time.process_time() - began)
        ours = median(taken["Thalweg, proof"])
        for side, seconds in taken.items():
            report.add(
                units=n,
                circuits=count,
                side=side,
                seconds=median(seconds),
                stable=stable[side],
                **{"over proof": ratio(median(seconds), ours)},
            )
    report.notes += [
        "CPU seconds. proof: the fixed point in closed form, and the inequality that implies "
        "stability; no eigenvalue, no rate.",
        "spectrum: the fixed point, the Jacobian and all 2n eigenvalues, whose time is LAPACK's: "
        "on one core Thalweg gains nothing there, and pays for a bound of the rounding error.",
        "inequality: what the proof computes, in a loop; the gain over the loop of eigenvalues is "
        "that of the theorem, not of the batch.",
    ]
    return report


def _circuits(count: int, n: int) -> tuple[Organics, jax.Array]:
    keys = jax.random.split(jax.random.key(n), 8)

    def draw(key, *shape):
        return 10 ** jax.random.uniform(key, (count, *shape), minval=-1.0, maxval=1.0)

    circuits = jax.vmap(
        lambda W, b, b0, sigma, tau_y, tau_a: Organics(
            W, b=b, b0=b0, sigma=sigma, tau_y=tau_y, tau_a=tau_a
        )
    )(draw(keys[0], n, n), *(draw(key, n) for key in keys[1:6]))
    return circuits, jax.random.normal(keys[6], (count, n))


def _each(circuits: Organics, drives: jax.Array):
    names = ("W", "b", "b0", "sigma", "tau_y", "tau_a")
    return zip(*(np.asarray(getattr(circuits, name)) for name in names), drives, strict=True)


def _spectrum_loop(circuits: Organics, drives: jax.Array) -> list[bool]:
    """What one writes first: closed form, Jacobian, eigenvalues, one circuit after another."""
    stable = []
    for W, b, b0, sigma, tau_y, tau_a, z in _each(circuits, np.asarray(drives)):
        a = (b0 * sigma) ** 2 + W @ (b * z) ** 2
        y = b * z / np.sqrt(a)
        top = np.hstack([-np.diag(np.sqrt(a)), -np.diag(y / (2 * np.sqrt(a)))])
        bottom = np.hstack([W * (2 * y * a), W * y**2 - np.eye(len(a))])
        matrix = np.vstack([top / tau_y[:, None], bottom / tau_a[:, None]])
        stable.append(np.linalg.eigvals(matrix).real.max() < 0)
    return stable


def _inequality_loop(circuits: Organics, drives: jax.Array) -> list[bool]:
    """The same arithmetic as the proof, one circuit after another."""
    stable = []
    for W, b, b0, sigma, tau_y, tau_a, z in _each(circuits, np.asarray(drives)):
        a = (b0 * sigma) ** 2 + W @ (b * z) ** 2
        y = b * z / np.sqrt(a)
        side = a**1.5 / tau_y + (a - W @ (a * y**2)) / tau_a
        stable.append(bool(np.all(W >= 0) and np.all(side > 0)))
    return stable
