"""Is it stable? Every fixed point found, its spectrum, and what that proves and does not prove."""

import dataclasses
import enum
import math
from typing import Any

import numpy as np
from jaxtyping import PyTree

from thalweg.core import (
    AbstractDynamics,
    AbstractMap,
    ArgumentError,
    PRNGKey,
    require_x64,
)

from ._circuit import AbstractCircuit, Theorem, theorems_of
from ._fixed_points import FixedPoints, _check_velocity, _starts, collect, run_lanes
from ._newton import Newton
from ._spectrum import critical_step, damping_ratios, frequencies, margin_error

HYPERBOLIC = 1e-12
"""An eigenvalue within this share of the system's typical rate of the boundary decides nothing."""

SMOOTH = 1e-9
"""A point this close to where the field has a kink, relative to its size, has no linearisation."""


class Verdict(enum.StrEnum):
    """What a certificate says."""

    stable = "stable"
    unstable = "unstable"
    undecided = "undecided"


@dataclasses.dataclass(frozen=True, eq=False)
class CertifiedPoint:
    """A fixed point with its verdict.

    Attributes:
        x: The point, `(dof,)`.
        hits: Starts that led there.
        residual: Largest component of the velocity there.
        verdict: Whether it is locally asymptotically stable.
        reason: Why that is the verdict.
        eigenvalues: Spectrum of the Jacobian, `(dof,)`, the largest real part first; multipliers
            for a map.
        margin: `-max Re λ` (for a map `1 - max |μ|`).
        error: Bound of the rounding error of the margin, to first order.
        condition: Condition number of the eigenvalues that decide.
        damping: Damping ratio of each eigenvalue, `(dof,)`; for a flow.
        frequency: Frequency of each in cycles for each unit of time, `(dof,)`; for a flow.
        critical_step: Largest stable step of explicit Euler; for a flow.
        euler: Verdict for the Euler map at the step that was asked about.
        theorem: Name of the theorem that proves the verdict without the spectrum.
    """

    x: np.ndarray
    hits: int
    residual: float
    verdict: Verdict
    reason: str
    eigenvalues: np.ndarray
    margin: float
    error: float
    condition: float
    damping: np.ndarray
    frequency: np.ndarray
    critical_step: float
    euler: Verdict | None
    theorem: str | None


@dataclasses.dataclass(frozen=True, eq=False)
class StabilityCertificate:
    """What is known about the rests of a system under one drive.

    Attributes:
        verdict: `stable`: at least one fixed point is locally stable. `unstable`: none of those
            found is. `undecided`: none found, or the only candidates are not hyperbolic.
        reason: Why.
        points: Every fixed point found, the most stable first.
        theorems: Theorems that were tried.
        limits: What all this does not prove.
        complete: Whether a theorem says that there is no other fixed point.
        contracting: Whether a theorem says that all trajectories converge to each other.
        step: The Euler step that was asked about.
        search: How the fixed points were found.
    """

    verdict: Verdict
    reason: str
    points: tuple[CertifiedPoint, ...]
    theorems: tuple[Theorem, ...]
    limits: tuple[str, ...]
    complete: bool
    contracting: bool
    step: float | None
    search: FixedPoints

    @property
    def stable(self) -> tuple[CertifiedPoint, ...]:
        """The points whose verdict is stable; two or more make the system multistable."""
        return tuple(p for p in self.points if p.verdict is Verdict.stable)

    @property
    def euler(self) -> Verdict | None:
        """Whether explicit Euler at the given step keeps any of the stable points."""
        if self.step is None:
            return None
        kept = {p.euler for p in self.stable}
        return next((v for v in (Verdict.stable, Verdict.undecided) if v in kept), Verdict.unstable)

    @property
    def applying(self) -> tuple[Theorem, ...]:
        """The theorems whose conditions hold."""
        return tuple(t for t in self.theorems if t.applies)


def certify(  # noqa: PLR0913 - all but one have defaults
    dynamics: AbstractDynamics | AbstractMap,
    drive: PyTree = None,
    *,
    step: float | None = None,
    starts: Any = None,
    key: PRNGKey | int = 0,
    number: int = 256,
    scale: Any = None,
    dof: int | None = None,
    newton: Newton = Newton(),
) -> StabilityCertificate:
    """Find the fixed points of a flow or a map and say how stable each one is.

    The test is Lyapunov's indirect method: the eigenvalues of the exact Jacobian, with a bound of
    their rounding error. A point whose decisive eigenvalue is within that bound of the boundary
    is undecided, as is one where the field has a kink. Theorems that the system contributes
    (`AbstractCircuit.theorems`) are tried first; they decide where the spectrum cannot.

    Args:
        dynamics: The system.
        drive: Its constant input.
        step: Also ask whether explicit Euler with this step is stable.
        starts: As for `fixed_points`, and so are the other arguments.
        key: Random key or seed of the starts.
        number: Number of random starts.
        scale: Their standard deviation.
        dof: Number of coordinates.
        newton: Tolerances and limits.

    Returns:
        The certificate, which also says what it does not prove.

    Raises:
        ArgumentError: if the starts have the wrong shape, or `step` is not positive or goes with a
            map.
        PrecisionError: if JAX is in float32 mode.

    Source: A. M. Lyapunov (1892), translated in Int. J. Control 55, 531 (1992).
    """
    require_x64()
    discrete = isinstance(dynamics, AbstractMap)
    if step is not None and discrete:
        raise ArgumentError(
            f"step={step!r} goes with a flow, and {type(dynamics).__name__} is a map",
            "leave it out: a map is certified as it is",
        )
    if step is not None and not (step > 0 and math.isfinite(step)):
        raise ArgumentError(f"step={step!r} must be a positive number")
    theorems = theorems_of(dynamics, drive)
    points, size = _starts(dynamics, drive, starts, key, number, scale, dof)
    known = [t.points for t in theorems if t.applies and t.points is not None]
    points = np.concatenate([*known, points]) if known else points
    _check_velocity(dynamics, drive, points)
    found = collect(
        run_lanes(dynamics, drive, points, size, newton), size, newton, discrete=discrete
    )
    certified = tuple(
        _certify_point(dynamics, drive, found, i, theorems, step, newton.same * size)
        for i in range(len(found))
    )
    return _conclude(certified, theorems, step, found)


def _certify_point(
    dynamics: Any,
    drive: PyTree,
    found: FixedPoints,
    index: int,
    theorems: tuple[Theorem, ...],
    step: float | None,
    near: float,
) -> CertifiedPoint:
    x, matrix = found.points[index], found.matrices[index]
    eigenvalues = found.spectra[index]
    doubt = float(found.doubts[index])
    sharp = margin_error(matrix, discrete=found.discrete, uncertainty=doubt)
    verdict, reason = _by_spectrum(dynamics, drive, x, sharp.value, sharp.error, found)
    proof = next((t for t in theorems if "stable" in t.proves and _speaks_of(t, x, near)), None)
    if proof is not None:
        if verdict is Verdict.unstable:
            verdict = Verdict.undecided
            reason = f"the spectrum contradicts the theorem {proof.name!r}: {reason}"
        else:
            reason = f"{proof.name}; {reason}"
            verdict = Verdict.stable
    euler, limit = None, math.nan
    if not found.discrete:
        limit = float(critical_step(eigenvalues))
    if step is not None:
        map_matrix = np.eye(len(x)) + step * matrix
        at = margin_error(map_matrix, discrete=True, uncertainty=step * doubt)
        euler = _sign(at.value, max(at.error, HYPERBOLIC))
    return CertifiedPoint(
        x=x,
        hits=int(found.hits[index]),
        residual=float(found.residuals[index]),
        verdict=verdict,
        reason=reason,
        eigenvalues=eigenvalues,
        margin=sharp.value,
        error=sharp.error,
        condition=sharp.condition,
        damping=damping_ratios(eigenvalues) if not found.discrete else np.zeros(0),
        frequency=frequencies(eigenvalues) if not found.discrete else np.zeros(0),
        critical_step=limit,
        euler=euler,
        theorem=proof.name if proof is not None else None,
    )


def _speaks_of(theorem: Theorem, x: np.ndarray, near: float) -> bool:
    if not theorem.applies:
        return False
    if theorem.points is None:
        return "contracting" in theorem.proves
    away = np.max(np.abs(theorem.points - x), axis=1)
    return bool(np.any(away <= max(near, 1e-6 * float(np.max(np.abs(x))))))


def _sign(value: float, error: float) -> Verdict:
    if not (math.isfinite(value) and abs(value) > error):
        return Verdict.undecided
    return Verdict.stable if value > 0 else Verdict.unstable


def _by_spectrum(
    dynamics: Any, drive: PyTree, x: np.ndarray, value: float, error: float, found: FixedPoints
) -> tuple[Verdict, str]:
    """Lyapunov's indirect method, where it can be used."""
    if isinstance(dynamics, AbstractCircuit):
        away = dynamics.smoothness(x, drive)
        if away <= SMOOTH:
            return Verdict.undecided, "the field has a kink here, so it has no linearisation"
    rate = 1.0 if found.discrete else found.rate
    tolerance = max(error, HYPERBOLIC * rate)
    verdict = _sign(value, tolerance)
    name = "1 - max |μ|" if found.discrete else "max Re λ"
    shown = value if found.discrete else -value
    if verdict is Verdict.undecided:
        return verdict, (
            f"not hyperbolic: {name} = {shown:.3g} is within the error {tolerance:.1g} of zero"
        )
    return verdict, f"indirect method: {name} = {shown:.6g}, error below {tolerance:.1g}"


def _conclude(
    points: tuple[CertifiedPoint, ...],
    theorems: tuple[Theorem, ...],
    step: float | None,
    found: FixedPoints,
) -> StabilityCertificate:
    complete = any(t.applies and t.proves & {"all", "contracting"} for t in theorems)
    contracting = any(t.applies and "contracting" in t.proves for t in theorems)
    count = {v: sum(p.verdict is v for p in points) for v in Verdict}
    which = "fixed points that exist" if complete else f"found from {found.starts} starts"
    if not points:
        verdict = Verdict.undecided
        reason = f"no fixed point was found from {found.starts} starts"
    elif count[Verdict.stable]:
        verdict = Verdict.stable
        many = count[Verdict.stable]
        reason = f"{many} of the {len(points)} {which} {'is' if many == 1 else 'are'} stable"
        reason += ", so where it rests depends on where it begins" if many > 1 else ""
    elif count[Verdict.undecided]:
        verdict = Verdict.undecided
        reason = f"{count[Verdict.undecided]} of the {len(points)} {which} cannot be decided"
    else:
        verdict = Verdict.unstable
        reason = f"none of the {len(points)} {which} is stable"
    return StabilityCertificate(
        verdict=verdict,
        reason=reason,
        points=points,
        theorems=theorems,
        limits=_limits(theorems, found, complete=complete, contracting=contracting),
        complete=complete,
        contracting=contracting,
        step=step,
        search=found,
    )


def _limits(
    theorems: tuple[Theorem, ...], found: FixedPoints, *, complete: bool, contracting: bool
) -> tuple[str, ...]:
    said = []
    if not contracting:
        said.append(
            "Local: a stable point attracts what begins near it; how near, this does not say."
        )
        said.append("Only rests were looked for: cycles and chaos may attract as well.")
    if not complete:
        said.append(
            f"The search is not exhaustive: {found.converged:.0%} of {found.starts} starts ended at "
            "a fixed point; others may exist."
        )
    said.append("The drive is constant; the arithmetic is floating point, not interval arithmetic.")
    said += [f"{t.name}: {t.limits}" for t in theorems if t.applies and t.limits]
    return tuple(said)
