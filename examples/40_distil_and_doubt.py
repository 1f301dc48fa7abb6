"""A force field distilled from a dearer one, and one that says how well it knows its answers.

Left: class II mechanics of ethanol, fitted to 40 or to 400 labels of GFN2-xTB, and to ten times as
many labels of a force field with networks (`delta`), which was fitted to the 400. Right: the energy
of the anti above the gauche conformer by class I mechanics, with the error bar of a posterior of
its parameters, for more and more labels. The posterior is sampled by stochastic-gradient Langevin
dynamics (Welling & Teh, ICML 2011) from minibatches, in coordinates in which its Hessian is one.

A posterior knows what the data leave open, not that the form is wrong: its width falls as more
labels come, and what is left of the error is that of the form. The misfit that it is granted
(`noise`) covers single forces: the share of forces inside their 95 % intervals is printed.

Writes one figure; `SMOKE=1` is short.
"""

import os
import tempfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw
from thalweg.core import value_and_grad
from thalweg.forcefields import forcefield_system
from thalweg.forcefields.fitting import (
    KCAL,
    KCAL_ANGSTROM,
    Dataset,
    Posterior,
    accuracy,
    fit_forcefield,
)
from thalweg.forcefields.md import Langevin, run_md, torsion_angles
from thalweg.io import EnergyLabels, Xtb, label, label_system, molecule
from thalweg.sampling import NoisyEnergy, kernels, sample
from thalweg.search import quench_many
from thalweg.workflows import SamplingConfig, ladder, make_sets

SMOKE = bool(os.environ.get("SMOKE"))
LABELS = 80 if SMOKE else 400
SIZES = (20, 80) if SMOKE else (10, 20, 50, 100, 200, 400)
DRAWS = 8 if SMOKE else 32
CHAIN = (0, 1, 2, 3)  # C-C-O-H
MISFIT = 6.0  # of class I, in kcal/(mol Å)


def fitted(name, train, validation, ethanol):
    """A rung of the ladder, fitted as it is fitted best; the teacher for a shorter time."""
    rung = ladder(name)
    config = rung.config
    if name == "delta" and SMOKE:
        config = type(config)(method="adam", steps=100, every=50)
    return fit_forcefield(rung.build(ethanol, train), train, validation, config).force_field


def distil(ethanol, sets):
    """Force errors of class II by its teacher: few labels, all labels, labels of `delta`."""
    teacher = fitted("delta", sets.train, sets.validation, ethanol)
    path = run_md(teacher, ethanol.masses, sets.train.positions[:: LABELS // 8],
                  Langevin(500.0, step=1.0, friction=5.0), steps=LABELS * 100 // 8, thin=10,
                  temperature=500.0, key=1)  # fmt: skip
    frames = path.positions[path.alive].reshape(-1, *ethanol.positions.shape)
    bare = Dataset.of(ethanol.numbers, frames)
    taught = label(bare, EnergyLabels(teacher, "delta")).usable()
    few = sets.train[:: LABELS // 40]
    students = {
        f"{len(few)} labels": fitted("class2", few, sets.validation, ethanol),
        f"{len(sets.train)} labels": fitted("class2", sets.train, sets.validation, ethanol),
        f"{len(taught)} of delta": fitted("class2", taught, sets.validation, ethanol),
        "delta": teacher,
    }
    return {
        name: (accuracy(f, sets.test).force_rmse, accuracy(f, sets.hot).force_rmse)
        for name, f in students.items()
    }


def whitened(posterior):
    """The most probable parameters, and the factor that makes the Hessian there one."""
    exact = jax.jit(jax.value_and_grad(lambda u: posterior(jax.random.key(0), u)))
    curved = jax.jit(jax.hessian(lambda u: posterior(jax.random.key(0), u)))
    u = jnp.asarray(posterior.start)
    value, slope = exact(u)
    damping = 1.0
    for _ in range(60):
        matrix = curved(u)
        spectrum, axes = jnp.linalg.eigh(matrix)
        step = -axes @ ((axes.T @ slope) / (jnp.abs(spectrum) + damping))
        trial = exact(u + step)
        if trial[0] < value:
            gain, u, (value, slope) = value - trial[0], u + step, trial
            damping = damping / 5
            if gain < 1e-6:
                break
        else:
            damping = damping * 10
    return u, axes / jnp.sqrt(jnp.maximum(spectrum, 1.0))


def gap(force_field, ethanol, conformers):
    """Energy of anti above gauche, each quenched, in kcal/mol."""
    system = forcefield_system(force_field, ethanol.positions)
    gauche, anti = quench_many(system, conformers).value
    return (anti - gauche) / KCAL


def reference_conformers(ethanol, sets):
    """The gauche and the anti conformer by the reference, and their gap in kcal/mol."""
    truth = label_system(ethanol.numbers, ethanol.positions, Xtb())
    ends = quench_many(truth, sets.train.points[:: LABELS // 8])
    turned = np.abs(torsion_angles(ends.x.reshape(len(ends.x), -1, 3), CHAIN))
    gauche, anti = (int(np.argmax(mask)) for mask in (turned < np.pi / 2, turned > 3))
    return ends.x[[gauche, anti]], (ends.value[anti] - ends.value[gauche]) / KCAL


def doubt(ethanol, train, test, conformers):
    """The gap with its error bar, and the share of forces in their 95 % intervals."""
    start = ladder("class1").build(ethanol, train)
    exact = Posterior(start, train, noise=MISFIT)
    middle, factor = whitened(exact)
    noisy = Posterior(start, train, noise=MISFIT, batch=max(2, len(train) // 4))
    target = NoisyEnergy(lambda key, w: noisy(key, middle + factor @ w), (len(middle),))
    drawn = sample(target, kernels.Langevin(scale=0.2), chains=DRAWS, steps=200, warmup=200,
                   start=np.zeros(len(middle)), key=2)  # fmt: skip
    last = np.asarray(drawn.draws)[:, -1]
    members = [exact.force_field(middle + factor @ jnp.asarray(w)) for w in last]
    gaps = np.array([gap(f, ethanol, conformers) for f in members])
    x = jnp.asarray(test.positions.reshape(len(test), -1).T)
    slope = eqx.filter_jit(lambda f: value_and_grad(f, x)[1])
    forces = np.stack([-np.asarray(slope(f)).T for f in members]) / KCAL_ANGSTROM
    wrong = forces.mean(axis=0) - test.forces.reshape(len(test), -1) / KCAL_ANGSTROM
    width = np.sqrt(forces.var(axis=0, ddof=1) + MISFIT**2)
    return gaps.mean(), gaps.std(ddof=1), float(np.mean(np.abs(wrong) < 1.96 * width))


def main():
    """Sample, label, fit, draw."""
    tw.enable_float64()
    ethanol = molecule("ethanol")
    config = SamplingConfig(train=LABELS, validation=LABELS // 4, test=LABELS // 2, hot=LABELS // 4)
    with tempfile.TemporaryDirectory() as folder:
        sets = make_sets(ethanol, Xtb(), config, folder=Path(folder))
    students = distil(ethanol, sets)
    for name, (cool, hot) in students.items():
        print(f"{name:16s}: {cool:.2f} kcal/(mol Å) at 500 K, {hot:.2f} at 1,200 K")
    conformers, reference = reference_conformers(ethanol, sets)
    found = {
        n: doubt(ethanol, sets.train[:: len(sets.train) // n][:n], sets.test, conformers)
        for n in SIZES
    }
    print(f"anti above gauche by GFN2-xTB: {reference:.3f} kcal/mol")
    for n, (mean, width, covered) in found.items():
        print(f"{n:4d} labels: {mean:.3f} ± {width:.3f} kcal/mol; {covered:.1%} of forces in 95 %")
    draw(students, found, reference)


def draw(students, found, reference):
    """One figure of two panels."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    places = np.arange(len(students))
    left.bar(places - 0.2, [v[0] for v in students.values()], 0.4, label="500 K")
    left.bar(places + 0.2, [v[1] for v in students.values()], 0.4, label="1,200 K")
    left.set_xticks(places, list(students))
    left.set_ylabel("Force error / kcal/(mol Å)")
    left.set_title("Class II mechanics, by its teacher")
    left.legend(frameon=False)
    sizes = list(found)
    right.errorbar(sizes, [found[n][0] for n in sizes], [1.96 * found[n][1] for n in sizes],
                   fmt="o", capsize=3, label="class I, 95 %")  # fmt: skip
    right.axhline(reference, color="0.4", lw=1, label="GFN2-xTB")
    right.set_xscale("log")
    right.set_xlabel("Labels")
    right.set_ylabel("Anti above gauche / kcal/mol")
    right.set_title("What the data leave open")
    right.legend(frameon=False)
    figure.savefig("distil_and_doubt.png", dpi=160)


if __name__ == "__main__":
    main()
