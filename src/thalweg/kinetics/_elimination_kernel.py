"""Elimination of states without a subtraction, compiled, for rates of any magnitude.

A number is a pair `(m, e)` that stands for `m · 2^(480 e)`, with `m` between `2^-240` and `2^240`
or zero: rates that differ by thousands of decades neither underflow nor overflow, and a product,
a quotient or a sum costs little more than that of two floats.

Everything here adds, multiplies and divides numbers that are not negative. That is the point: no
digit is ever lost to cancellation, whatever the temperature.

Source: W. K. Grassmann, M. I. Taksar and D. P. Heyman, Oper. Res. 33, 1107 (1985).
The kernels share one file because Numba's cache notices changes in that file only.
"""

from typing import no_type_check

import numba
import numpy as np

kernel = numba.njit(nogil=True, cache=True)
inline = numba.njit(nogil=True, cache=True, inline="always")

_UP = 2.0**480
_DOWN = 2.0**-480
_HIGH = 2.0**240
_LOW = 2.0**-240
# A product of two mantissas is below 2^480, any other number at least 2^-240: with exponents so far
# apart, or farther, the one vanishes in the other.
NEGLIGIBLE = 2


@inline
@no_type_check
def _normal(m, e):
    while m >= _HIGH:
        m *= _DOWN
        e += 1
    while 0.0 < m < _LOW:
        m *= _UP
        e -= 1
    return m, e


@inline
@no_type_check
def _plus(m1, e1, m2, e2):
    if m2 == 0.0:
        return m1, e1
    if m1 == 0.0:
        return m2, e2
    gap = e1 - e2
    if gap == 0:
        m, e = m1 + m2, e1
    elif gap == 1:
        m, e = m1 + m2 * _DOWN, e1
    elif gap == -1:
        m, e = m1 * _DOWN + m2, e2
    elif gap > 0:
        m, e = m1, e1
    else:
        m, e = m2, e2
    if m >= _HIGH:
        m *= _DOWN
        e += 1
    return m, e


@inline
@no_type_check
def _add_product(m, e, product, shift):
    """`(m, e)` plus a product (or a sum of products) of two mantissas, with the sum's exponent."""
    if product == 0.0:
        return m, e
    gap = e - shift
    if m != 0.0 and gap >= 0:
        if gap >= NEGLIGIBLE:
            return m, e
        m += product * _DOWN if gap == 1 else product
        if m >= _HIGH:
            m, e = _normal(m, e)
        return m, e
    product, shift = _normal(product, shift)
    return _plus(m, e, product, shift)


@kernel
@no_type_check
def choose(ptr, idx, order, limit):
    """A set of states no two of which are joined, taken greedily in `order`, up to `limit` wide.

    `order` lists the candidates by ascending number of neighbours.
    """
    n = ptr.size - 1
    blocked = np.zeros(n, np.bool_)
    chosen = np.zeros(n, np.bool_)
    for s in order:
        if ptr[s + 1] - ptr[s] > limit:
            break
        if blocked[s]:
            continue
        free = True
        for p in range(ptr[s], ptr[s + 1]):
            if chosen[idx[p]]:
                free = False
                break
        if not free:
            continue
        chosen[s] = True
        for p in range(ptr[s], ptr[s + 1]):
            blocked[idx[p]] = True
    return chosen


@kernel
@no_type_check
def row_sums(ptr, m, e):
    """Sum of each row."""
    n = ptr.size - 1
    dm, de = np.zeros(n), np.zeros(n, np.int32)
    for i in range(n):
        am, ae = 0.0, 0
        for p in range(ptr[i], ptr[i + 1]):
            am, ae = _plus(am, ae, m[p], e[p])
        dm[i], de[i] = am, ae
    return dm, de


@kernel
@no_type_check
def eliminate_round(ptr, idx, m, e, chosen, dm, de):  # noqa: C901, PLR0915  (compiled whole)
    """Eliminate the chosen states at once; they must not be joined to one another.

    Returns the new rows, and the factors `q_is / d_s` as a list of `(i, s, m, e)`.
    """
    n = ptr.size - 1
    new_ptr = np.zeros(n + 1, np.int64)
    mark = np.full(n, -1, np.int64)
    factors = 0
    for i in range(n):  # how long the new rows are
        count = 0
        if not chosen[i]:
            mark[i] = i
            for p in range(ptr[i], ptr[i + 1]):
                j = idx[p]
                if chosen[j]:
                    factors += 1
                    for r in range(ptr[j], ptr[j + 1]):
                        if mark[idx[r]] != i:
                            mark[idx[r]] = i
                            count += 1
                elif mark[j] != i:
                    mark[j] = i
                    count += 1
        new_ptr[i + 1] = new_ptr[i] + count
    total = new_ptr[n]
    new_idx = np.empty(total, np.int32)
    nm, ne = np.empty(total), np.empty(total, np.int32)
    fi, fs = np.empty(factors, np.int32), np.empty(factors, np.int32)
    fm, fe = np.empty(factors), np.empty(factors, np.int32)
    place = np.full(n, -1, np.int64)
    k = 0
    for i in range(n):
        if chosen[i]:
            continue
        start = new_ptr[i]
        end = start
        for p in range(ptr[i], ptr[i + 1]):
            j = idx[p]
            if not chosen[j]:
                q = place[j]
                if q < start or q >= end or new_idx[q] != j:
                    place[j] = end
                    new_idx[end], nm[end], ne[end] = j, m[p], e[p]
                    end += 1
                else:
                    nm[q], ne[q] = _plus(nm[q], ne[q], m[p], e[p])
                continue
            gm, ge = _normal(m[p] / dm[j], e[p] - de[j])
            fi[k], fs[k], fm[k], fe[k] = i, j, gm, ge
            k += 1
            for r in range(ptr[j], ptr[j + 1]):
                l = idx[r]
                if l == i:
                    continue  # a return to where it came from takes time, and no more
                hm, he = _normal(gm * m[r], ge + e[r])
                q = place[l]
                if q < start or q >= end or new_idx[q] != l:
                    place[l] = end
                    new_idx[end], nm[end], ne[end] = l, hm, he
                    end += 1
                else:
                    nm[q], ne[q] = _plus(nm[q], ne[q], hm, he)
    return new_ptr, new_idx, nm, ne, fi, fs, fm, fe


@kernel
@no_type_check
def panel(a, start, stop, d, floor):  # noqa: C901  (compiled whole)
    """Eliminate states `start … stop` in the dense matrix, in these columns and these rows only.

    What is left is one product: `a[stop:, stop:] += a[stop:, start:stop] @ a[start:stop, stop:]`.
    Entries below `floor` become zero when they are used.
    """
    n = a.shape[0]
    for x in range(start, stop):
        total = 0.0
        for j in range(x + 1, n):
            if a[x, j] < floor:
                a[x, j] = 0.0
            total += a[x, j]
        d[x] = total
        if total <= 0.0:
            return
        for y in range(x + 1, stop):
            if a[y, x] < floor:
                a[y, x] = 0.0
            f = a[y, x] / total
            a[y, x] = f
            if f != 0.0:
                for j in range(x + 1, n):
                    a[y, j] += f * a[x, j]
    for i in range(stop, n):
        for x in range(start, stop):
            if a[i, x] < floor:
                a[i, x] = 0.0
            f = a[i, x] / d[x]
            a[i, x] = f
            if f != 0.0:
                for j in range(x + 1, stop):
                    a[i, j] += f * a[x, j]


@kernel
@no_type_check
def _row_wide(a, b, y, x, dm, de, stop):
    """Take state `x` out of row `y`, in the columns before `stop`."""
    if a[y, x] == 0.0:
        return
    fm, fe = _normal(a[y, x] / dm[x], b[y, x] - de[x])
    a[y, x], b[y, x] = fm, fe
    for j in range(x + 1, stop):
        a[y, j], b[y, j] = _add_product(a[y, j], b[y, j], fm * a[x, j], fe + b[x, j])


@kernel
@no_type_check
def panel_wide(a, b, start, stop, dm, de):
    """`panel` for pairs `(a, b)`."""
    n = a.shape[0]
    for x in range(start, stop):
        sm, se = 0.0, 0
        for j in range(x + 1, n):
            sm, se = _plus(sm, se, a[x, j], b[x, j])
        dm[x], de[x] = sm, se
        for y in range(x + 1, stop):
            _row_wide(a, b, y, x, dm, de, n)
    for i in range(stop, n):
        for x in range(start, stop):
            _row_wide(a, b, i, x, dm, de, stop)


@kernel
@no_type_check
def least_exponent(a, b):
    """Least exponent of pairs `(a, b)`; far below all if some are zero."""
    least = b[0, 0] if b.size else 0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            if a[i, j] == 0.0:
                return np.int64(-(2**40))
            least = min(least, b[i, j])
    return np.int64(least)


@kernel
@no_type_check
def add_product(a, b, product, exponent):
    """Add sums of products of mantissas, all of one exponent, to pairs `(a, b)`."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j], b[i, j] = _add_product(a[i, j], b[i, j], product[i, j], exponent)


@kernel
@no_type_check
def forward_list(fi, fs, fm, fe, cm, ce):
    """`c_i += f_is c_s`, in the order of elimination."""
    for k in range(fi.size):
        i, s = fi[k], fs[k]
        if cm[s] != 0.0:
            gm, ge = _normal(fm[k] * cm[s], fe[k] + ce[s])
            cm[i], ce[i] = _plus(cm[i], ce[i], gm, ge)


@kernel
@no_type_check
def forward_dense(a, b, count, cm, ce):
    """The same within the dense matrix; `b` is empty if all exponents are zero."""
    n = a.shape[0]
    for x in range(count):
        if cm[x] == 0.0:
            continue
        for i in range(x + 1, n):
            if a[i, x] != 0.0:
                fm, fe = _normal(a[i, x], b[i, x] if b.size else 0)
                gm, ge = _normal(fm * cm[x], fe + ce[x])
                cm[i], ce[i] = _plus(cm[i], ce[i], gm, ge)


@kernel
@no_type_check
def backward_dense(a, b, count, dm, de, cm, ce):
    """`t_x = (c_x + Σ_j q_xj t_j) / d_x` from the last eliminated state to the first, in place."""
    n = a.shape[0]
    for x in range(count - 1, -1, -1):
        sm, se = cm[x], ce[x]
        for j in range(x + 1, n):
            if a[x, j] != 0.0 and cm[j] != 0.0:
                fm, fe = _normal(a[x, j], b[x, j] if b.size else 0)
                gm, ge = _normal(fm * cm[j], fe + ce[j])
                sm, se = _plus(sm, se, gm, ge)
        pm, pe = _normal(dm[x], de[x])
        cm[x], ce[x] = _normal(sm / pm, se - pe)


@kernel
@no_type_check
def backward_rows(states, ptr, idx, m, e, dm, de, cm, ce):  # noqa: PLR0913  (an inner loop)
    """The same for states eliminated while the matrix was sparse."""
    for k in range(states.size - 1, -1, -1):
        x = states[k]
        sm, se = cm[x], ce[x]
        for p in range(ptr[k], ptr[k + 1]):
            j = idx[p]
            if cm[j] != 0.0:
                gm, ge = _normal(m[p] * cm[j], e[p] + ce[j])
                sm, se = _plus(sm, se, gm, ge)
        cm[x], ce[x] = _normal(sm / dm[k], se - de[k])


@kernel
@no_type_check
def stationary_dense(a, b, count, pm, pe):
    """`π_x = Σ_i π_i f_ix` over the states `i` that outlive `x`, in place."""
    n = a.shape[0]
    for x in range(count - 1, -1, -1):
        sm, se = 0.0, 0
        for i in range(x + 1, n):
            if a[i, x] != 0.0 and pm[i] != 0.0:
                fm, fe = _normal(a[i, x], b[i, x] if b.size else 0)
                gm, ge = _normal(fm * pm[i], fe + pe[i])
                sm, se = _plus(sm, se, gm, ge)
        pm[x], pe[x] = sm, se


@kernel
@no_type_check
def stationary_list(fi, fs, fm, fe, pm, pe):
    """The same for states eliminated while the matrix was sparse."""
    for k in range(fi.size - 1, -1, -1):
        i, s = fi[k], fs[k]
        if pm[i] != 0.0:
            gm, ge = _normal(fm[k] * pm[i], fe[k] + pe[i])
            pm[s], pe[s] = _plus(pm[s], pe[s], gm, ge)
