"""Dense linear algebra on the host, one matrix after another."""

import contextlib
import functools
from collections.abc import Iterator

import threadpoolctl


@functools.cache
def _controller() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()


@contextlib.contextmanager
def serial_blas() -> Iterator[None]:
    """BLAS and LAPACK in one thread while this lasts.

    Their own threads pay for one large matrix. Over stacks of matrices of a hundred rows they wait
    for each other: an `eigh` of 114 rows then takes 70 ms instead of 2 on two busy cores.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield
