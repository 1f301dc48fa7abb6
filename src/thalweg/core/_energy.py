"""Energies: scalar fields over flat points, and how the engine evaluates them.

A user's energy is any JAX function; `AbstractEnergy` is its typed form. Three functions,
`value_and_grad`, `hvp` and `hessian`, are the only way in which algorithms look at an energy.
They accept one point `(dof,)` or a block `(dof, lanes)` and choose the cheapest evaluation that
the energy offers:

* a plain `AbstractEnergy` is differentiated by JAX and mapped over the lanes;
* an `AbstractLaneEnergy` evaluates a block itself (a compiled pair kernel, a host callback).
"""

import abc
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp

from ._shapes import Block, Float, Point, Scalar, Value

_P = ParamSpec("_P")
_R = TypeVar("_R")


class AbstractEnergy(eqx.Module):
    """A scalar field `x → E` over flat points.

    Attributes:
        exact_derivatives: Whether gradients and Hessian-vector products are exact to rounding;
            where they are differences, certificates say so and use wider tolerances.
        zero_cut: Curvatures below this fraction of the largest one count as zero modes in
            certificates; `None` leaves it to them. Energies that are ill-conditioned by design
            have real curvatures down there and lower it.
    """

    exact_derivatives: ClassVar[bool] = True
    zero_cut: ClassVar[float | None] = None

    @property
    def smooth(self) -> bool:
        """Whether second derivatives exist everywhere; certificates say where they may not."""
        return True

    @property
    def stiff(self) -> bool:
        """Whether curvatures of its minima span decades by design: losses, bonds beside torsions.

        Maps of few coordinates follow exact Hessians then.
        """
        return self.zero_cut is not None

    @property
    def lanes_at_once(self) -> int | None:
        """How many lanes a processor's caches hold; `None`: all of a block go together.

        Large networks spill out of the caches when many points are evaluated in step. On a CPU
        their blocks are cut into pieces of this width; results do not depend on it. Pieces whose
        points are NaN are not evaluated.
        """
        return None

    @property
    def skips_nan(self) -> bool:
        """Whether points at NaN cost nothing: lanes that have ended are moved there."""
        return not self.exact_derivatives or self.lanes_at_once is not None

    @abc.abstractmethod
    def __call__(self, x: Point) -> Scalar:
        """Energy at `x`, shape `(dof,)`, in the system's energy unit; pure JAX."""

    def second_derivatives(self, x: Point) -> Float[jax.Array, "dof dof"]:
        """Dense Hessian at one point; energies that know a cheaper way than columns say it here."""
        return jax.jacfwd(jax.grad(self))(x)

    def expansion(self, x: Point) -> tuple[Scalar, Point, Float[jax.Array, "dof dof"]]:
        """Energy, gradient and dense Hessian; energies that get all three from one pass say so."""
        return (*jax.value_and_grad(self)(x), self.second_derivatives(x))


class AbstractLaneEnergy(AbstractEnergy):
    """An energy that evaluates a block of points, lanes last, faster than JAX would.

    `__call__` stays the definition; the block methods must agree with it
    (`thalweg.testing.check_energy` compares them).
    """

    @abc.abstractmethod
    def lane_value_and_grad(
        self, x: Float[jax.Array, "dof lanes"]
    ) -> tuple[Float[jax.Array, " lanes"], Float[jax.Array, "dof lanes"]]:
        """Energies `(lanes,)` and gradients `(dof, lanes)` of a block."""

    @abc.abstractmethod
    def lane_hvp(
        self, x: Float[jax.Array, "dof lanes"], v: Float[jax.Array, "dof lanes"]
    ) -> Float[jax.Array, "dof lanes"]:
        """Hessian-vector products of a block, one vector for each point."""


class FunctionEnergy(AbstractEnergy):
    """Any JAX function of an array of a given shape, as an energy over flat points."""

    function: Callable = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Point) -> Scalar:
        """`function(x.reshape(shape))`."""
        return self.function(x.reshape(self.shape))


class SumEnergy(AbstractEnergy):
    """The weighted sum of energies over the same points: mixtures and λ-paths."""

    terms: tuple[AbstractEnergy, ...]
    weights: tuple[float, ...]

    def __call__(self, x: Point) -> Scalar:
        """`Σ_k weights[k] · terms[k](x)`."""
        total = jnp.zeros((), x.dtype)
        for weight, term in zip(self.weights, self.terms, strict=True):
            total = total + weight * term(x)
        return total


def _compiled(
    function: Callable[Concatenate["AbstractEnergy", _P], _R],
) -> Callable[Concatenate["AbstractEnergy", _P], _R]:
    """Compile a function of an energy and points, once, where blocks are evaluated in pieces.

    Outside compiled code JAX would compile the loop over pieces anew at every call.
    """
    once = eqx.filter_jit(function)

    @functools.wraps(function)
    def call(energy: AbstractEnergy, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        pieces = energy.lanes_at_once is not None
        return (once if pieces else function)(energy, *args, **kwargs)

    return call


@_compiled
def value_and_grad(energy: AbstractEnergy, x: Block) -> tuple[Value, Block]:
    """Energy and gradient at one point `(dof,)` or a block `(dof, lanes)`."""
    if isinstance(energy, AbstractLaneEnergy):
        value, grad = energy.lane_value_and_grad(x[:, None] if x.ndim == 1 else x)
        return (value[0], grad[:, 0]) if x.ndim == 1 else (value, grad)
    single = jax.value_and_grad(energy)
    return single(x) if x.ndim == 1 else _over_lanes(energy, single, (0, -1), x)


def _over_lanes(
    energy: AbstractEnergy, single: Callable[..., Any], out: Any, *blocks: Float[jax.Array, "d l"]
) -> Any:
    """A function of points over the lanes of blocks, in pieces where the energy asks for it."""
    return _in_pieces(energy.lanes_at_once, single, out, *blocks)


def _in_pieces(
    width: int | None, single: Callable[..., Any], out: Any, *blocks: Float[jax.Array, "d l"]
) -> Any:
    """A function of points over blocks, at most `width` lanes at once on a CPU."""
    together = jax.vmap(single, in_axes=-1, out_axes=out)
    lanes = blocks[0].shape[-1]
    if width is None or lanes <= width:
        return together(*blocks)
    missing = -lanes % width
    blocks = tuple(jnp.pad(b, ((0, 0), (0, missing)), mode="edge") for b in blocks)

    def of_piece(piece: tuple[jax.Array, ...]) -> Any:
        shapes = jax.eval_shape(together, *piece)

        def nowhere(*_: jax.Array) -> Any:
            return jax.tree.map(lambda a: jnp.full(a.shape, jnp.nan, a.dtype), shapes)

        # Lanes that have ended stand at NaN: nothing is evaluated for them.
        return jax.lax.cond(jnp.all(jnp.isnan(piece[0])), nowhere, together, *piece)

    def in_pieces(*blocks: jax.Array) -> Any:
        pieces = [jnp.moveaxis(b.reshape(len(b), -1, width), 1, 0) for b in blocks]
        found = jax.lax.map(of_piece, tuple(pieces))
        return jax.tree.map(lambda a: jnp.moveaxis(a, 0, -2).reshape(*a.shape[1:-1], -1), found)

    found = jax.lax.platform_dependent(*blocks, cpu=in_pieces, default=together)
    return jax.tree.map(lambda a: a[..., :lanes], found)


@_compiled
def hvp(energy: AbstractEnergy, x: Block, v: Block) -> Block:
    """Hessian-vector product `H(x) v` at one point or a block, without forming `H`."""
    if isinstance(energy, AbstractLaneEnergy):
        if x.ndim == 1:
            return energy.lane_hvp(x[:, None], v[:, None])[:, 0]
        return energy.lane_hvp(x, v)
    gradient = jax.grad(energy)

    def single(x: Point, v: Point) -> Point:
        return jax.jvp(gradient, (x,), (v,))[1]

    return single(x, v) if x.ndim == 1 else _over_lanes(energy, single, -1, x, v)


@_compiled
def hessian(energy: AbstractEnergy, x: Block) -> Float[jax.Array, "*lanes dof dof"]:
    """Dense symmetrised Hessians at one point or a block, lanes first.

    `dof` Hessian-vector products a point; those of a plain energy share what depends on the point
    alone, those of a lane energy are all in one block.
    """
    if x.ndim == 1:
        return hessian(energy, x[:, None])[0]
    if isinstance(energy, AbstractLaneEnergy):
        return _symmetrised(_by_columns(energy, x))
    width = _dense_width(energy, x)
    return _symmetrised(jnp.moveaxis(_in_pieces(width, energy.second_derivatives, -1, x), -1, 0))


@_compiled
def expansion(
    energy: AbstractEnergy, x: Float[jax.Array, "dof lanes"]
) -> tuple[Value, Block, Float[jax.Array, "lanes dof dof"]]:
    """Energies, gradients and dense symmetrised Hessians (lanes first) of a block."""
    if isinstance(energy, AbstractLaneEnergy):
        return (*value_and_grad(energy, x), hessian(energy, x))
    value, grad, matrices = _in_pieces(_dense_width(energy, x), energy.expansion, -1, x)
    return value, grad, _symmetrised(jnp.moveaxis(matrices, -1, 0))


def _by_columns(energy: AbstractLaneEnergy, x: Block) -> Float[jax.Array, "lanes dof dof"]:
    """Every column of every Hessian in one block of Hessian-vector products."""
    dof, lanes = x.shape
    points = jnp.repeat(x, dof, axis=1)
    vectors = jnp.tile(jnp.eye(dof, dtype=x.dtype), (1, lanes))
    columns = hvp(energy, points, vectors).reshape(dof, lanes, dof)
    return jnp.moveaxis(columns, 1, 0)


def _dense_width(energy: AbstractEnergy, x: Block) -> int | None:
    """Lanes at once, where every lane brings as many tangents as there are coordinates."""
    return energy.lanes_at_once and max(1, energy.lanes_at_once // len(x))


def _symmetrised(matrices: Float[jax.Array, "lanes dof dof"]) -> Float[jax.Array, "lanes dof dof"]:
    return 0.5 * (matrices + jnp.swapaxes(matrices, 1, 2))
