"""Pair sums over a block of points: the compiled loops, and the same sums in JAX.

Both evaluate `Σ_{i<j} v(r²_ij)` with parameters that depend on the species of `i` and `j`, with
the minimum image in a periodic box, for every lane of a block. A pair function gives `v` and its
first two derivatives with respect to `r²`, from which

* the gradient on `i` is `2 v' d`, with `d = x_i - x_j`, and its opposite on `j`;
* the Hessian-vector product on `i` is `2 v' u + 4 v'' (d·u) d`, with `u` the difference of the two
  vectors, and its opposite on `j`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from thalweg.core import (
    LANE_WIDTH,
    lane_buffer,
    lane_gather,
    lane_load,
    lane_operand,
    lane_result,
    lane_round,
    lane_scatter,
    lane_store,
    lane_zero,
)

PARAMETERS = 6
"""Columns of a parameter table; a term that has fewer is padded."""

PairFunction = Callable[[Any, tuple[Any, ...]], tuple[Any, Any, Any]]


def value_and_grad_kernel(pair: Any) -> Callable[[Any], None]:
    """The kernel with operands `x, table, species, box`; results `energies, gradients`."""

    def kernel(frame: Any) -> None:
        x, table = lane_operand(frame, 0), lane_operand(frame, 1)
        species, box = lane_operand(frame, 2), lane_operand(frame, 3)
        energy, grad = lane_result(frame, 0), lane_result(frame, 1)
        dof, lanes = x.shape
        kinds = int(species[0, -1])
        bx, by, bz = box[0, 0], box[0, 1], box[0, 2]
        periodic = bx > 0.0
        p = table[0]
        parameters = (p[0], p[1], p[2], p[3], p[4], p[5])
        width = LANE_WIDTH
        points, slope, total = lane_buffer(dof), lane_buffer(dof), lane_buffer(1)
        for begin in range(0, lanes, width):
            lane_gather(points, x, begin)
            value = lane_zero()
            for i in range(0, dof, 3):
                ix = i * width
                iy, iz = ix + width, ix + 2 * width
                xi, yi, zi = lane_load(points, ix), lane_load(points, iy), lane_load(points, iz)
                gx, gy, gz = lane_zero(), lane_zero(), lane_zero()
                row = int(species[0, i // 3]) * kinds
                for j in range(0, i, 3):
                    jx = j * width
                    jy, jz = jx + width, jx + 2 * width
                    dx = xi - lane_load(points, jx)
                    dy = yi - lane_load(points, jy)
                    dz = zi - lane_load(points, jz)
                    if periodic:
                        dx = dx - bx * lane_round(dx / bx)
                        dy = dy - by * lane_round(dy / by)
                        dz = dz - bz * lane_round(dz / bz)
                    if kinds > 1:
                        p = table[row + int(species[0, j // 3])]
                        parameters = (p[0], p[1], p[2], p[3], p[4], p[5])
                    v, first, _ = pair(dx * dx + dy * dy + dz * dz, parameters)
                    value = value + v
                    force = 2.0 * first
                    fx, fy, fz = force * dx, force * dy, force * dz
                    gx, gy, gz = gx + fx, gy + fy, gz + fz
                    lane_store(slope, jx, lane_load(slope, jx) - fx)
                    lane_store(slope, jy, lane_load(slope, jy) - fy)
                    lane_store(slope, jz, lane_load(slope, jz) - fz)
                lane_store(slope, ix, gx)
                lane_store(slope, iy, gy)
                lane_store(slope, iz, gz)
            lane_store(total, 0, value)
            lane_scatter(energy, total, begin)
            lane_scatter(grad, slope, begin)

    return kernel


def hvp_kernel(pair: Any) -> Callable[[Any], None]:
    """The kernel with operands `x, v, table, species, box`; result `H(x) v`."""

    def kernel(frame: Any) -> None:
        x, vector, table = lane_operand(frame, 0), lane_operand(frame, 1), lane_operand(frame, 2)
        species, box = lane_operand(frame, 3), lane_operand(frame, 4)
        product = lane_result(frame, 0)
        dof, lanes = x.shape
        kinds = int(species[0, -1])
        bx, by, bz = box[0, 0], box[0, 1], box[0, 2]
        periodic = bx > 0.0
        p = table[0]
        parameters = (p[0], p[1], p[2], p[3], p[4], p[5])
        width = LANE_WIDTH
        points, moves, out = lane_buffer(dof), lane_buffer(dof), lane_buffer(dof)
        for begin in range(0, lanes, width):
            lane_gather(points, x, begin)
            lane_gather(moves, vector, begin)
            for i in range(0, dof, 3):
                ix = i * width
                iy, iz = ix + width, ix + 2 * width
                xi, yi, zi = lane_load(points, ix), lane_load(points, iy), lane_load(points, iz)
                ux, uy, uz = lane_load(moves, ix), lane_load(moves, iy), lane_load(moves, iz)
                hx, hy, hz = lane_zero(), lane_zero(), lane_zero()
                row = int(species[0, i // 3]) * kinds
                for j in range(0, i, 3):
                    jx = j * width
                    jy, jz = jx + width, jx + 2 * width
                    dx = xi - lane_load(points, jx)
                    dy = yi - lane_load(points, jy)
                    dz = zi - lane_load(points, jz)
                    if periodic:
                        dx = dx - bx * lane_round(dx / bx)
                        dy = dy - by * lane_round(dy / by)
                        dz = dz - bz * lane_round(dz / bz)
                    wx = ux - lane_load(moves, jx)
                    wy = uy - lane_load(moves, jy)
                    wz = uz - lane_load(moves, jz)
                    if kinds > 1:
                        p = table[row + int(species[0, j // 3])]
                        parameters = (p[0], p[1], p[2], p[3], p[4], p[5])
                    _, first, second = pair(dx * dx + dy * dy + dz * dz, parameters)
                    across = 2.0 * first
                    along = 4.0 * second * (dx * wx + dy * wy + dz * wz)
                    fx = across * wx + along * dx
                    fy = across * wy + along * dy
                    fz = across * wz + along * dz
                    hx, hy, hz = hx + fx, hy + fy, hz + fz
                    lane_store(out, jx, lane_load(out, jx) - fx)
                    lane_store(out, jy, lane_load(out, jy) - fy)
                    lane_store(out, jz, lane_load(out, jz) - fz)
                lane_store(out, ix, hx)
                lane_store(out, iy, hy)
                lane_store(out, iz, hz)
            lane_scatter(product, out, begin)

    return kernel


def _over_shifts(pair: PairFunction, x: Array, table: Array, species: Array, box: Array) -> Any:
    """What both JAX sums need: the number of shifts, and a function of a shift.

    Shift `s` pairs every particle with the one `s` places on, so that `count // 2` shifts visit
    every pair once; with an even count the last shift visits each pair twice, with weight 1/2.
    """
    dof, lanes = x.shape
    count = dof // 3
    points = x.reshape(count, 3, lanes)
    doubled = jnp.concatenate([points, points])
    kind = species[:-1].astype(jnp.int32)
    kind_doubled = jnp.concatenate([kind, kind])
    kinds = species[-1].astype(jnp.int32)
    edges = box[:, None]
    safe_edges = jnp.where(edges > 0, edges, 1)

    def at(s: Array) -> tuple[Array, tuple[Array, Array, Array]]:
        d = points - jax.lax.dynamic_slice_in_dim(doubled, s, count)
        d = jnp.where(edges > 0, d - edges * jnp.round(d / safe_edges), d)
        other = jax.lax.dynamic_slice_in_dim(kind_doubled, s, count)
        rows = table[kind * kinds + other]
        parameters = tuple(rows[:, k, None] for k in range(PARAMETERS))
        weight = jnp.where(2 * s == count, 0.5, 1.0).astype(x.dtype)
        terms = pair(jnp.sum(d * d, axis=1), parameters)
        return d, tuple(weight * term for term in terms)

    return count, at


def value_and_grad_sum(
    pair: PairFunction,
    x: Float[Array, "dof lanes"],
    table: Float[Array, "rows columns"],
    species: Float[Array, " particles_and_kinds"],
    box: Float[Array, " 3"],
) -> tuple[Float[Array, " lanes"], Float[Array, "dof lanes"]]:
    """Energies and gradients of a block, in JAX, with the operands of the kernel."""
    count, at = _over_shifts(pair, x, table, species, box)

    def add(s: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        value, grad = carry
        d, (v, first, _) = at(s)
        force = 2 * first[:, None, :] * d
        return value + jnp.sum(v, axis=0), grad + force - jnp.roll(force, s, axis=0)

    start = jnp.zeros(x.shape[1], x.dtype), jnp.zeros((count, 3, x.shape[1]), x.dtype)
    value, grad = jax.lax.fori_loop(1, count // 2 + 1, add, start)
    return value, grad.reshape(x.shape)


def hvp_sum(
    pair: PairFunction,
    x: Float[Array, "dof lanes"],
    v: Float[Array, "dof lanes"],
    table: Float[Array, "rows columns"],
    species: Float[Array, " particles_and_kinds"],
    box: Float[Array, " 3"],
) -> Float[Array, "dof lanes"]:
    """Hessian-vector products of a block, in JAX, with the operands of the kernel."""
    count, at = _over_shifts(pair, x, table, species, box)
    moves = v.reshape(count, 3, -1)
    doubled = jnp.concatenate([moves, moves])

    def add(s: Array, product: Array) -> Array:
        d, (_, first, second) = at(s)
        u = moves - jax.lax.dynamic_slice_in_dim(doubled, s, count)
        along = 4 * second * jnp.sum(d * u, axis=1)
        change = 2 * first[:, None, :] * u + along[:, None, :] * d
        return product + change - jnp.roll(change, s, axis=0)

    product = jax.lax.fori_loop(1, count // 2 + 1, add, jnp.zeros_like(moves))
    return product.reshape(x.shape)
