"""Putting a network that was found elsewhere into a store."""

from thalweg.core import StoreError

from ._network import TransitionNetwork
from ._stationary import Discovery, Minimum, Round, TransitionState
from ._store import Store


def import_network(store: Store, network: TransitionNetwork) -> None:
    """Fill an empty store with a network, as one round of kind `"import"`.

    The points get ids in the order of their positions, carry no certificate, and keep their hits.

    Args:
        store: An empty store for the network's system.
        network: What to import, with coordinates if it has them.

    Raises:
        StoreError: if the store is not empty, or the coordinates do not fit its system.
    """
    if store.next_round or store.n_minima:
        raise StoreError(
            f"{store.name} already holds {store.n_minima} minima",
            "import into a new file: points cannot be merged without their certificates",
        )
    x, ts_x = network.points, network.ts_points
    minima = [
        Minimum(
            id=i,
            energy=float(network.energies[i]),
            x=None if x is None else x[i],
            order=int(network.orders[i]),
            log_product=float(network.log_products[i]),
            round=0,
        )
        for i in range(network.n_minima)
    ]
    transition_states = [
        TransitionState(
            id=i,
            energy=float(network.ts_energies[i]),
            x=None if ts_x is None else ts_x[i],
            order=int(network.ts_orders[i]),
            log_product=float(network.ts_log_products[i]),
            minimum_a=int(network.ts_minima[i, 0]),
            minimum_b=int(network.ts_minima[i, 1]),
            round=0,
        )
        for i in range(network.n_transition_states)
    ]
    found = [
        Discovery(kind="minimum", id=i, count=int(hits))
        for i, hits in enumerate(network.hits)
        if hits
    ]
    found += [
        Discovery(kind="transition_state", id=i, count=int(hits))
        for i, hits in enumerate(network.ts_hits)
        if hits
    ]
    store.commit_round(
        Round(
            number=0,
            kind="import",
            minima=minima,
            transition_states=transition_states,
            discoveries=found,
        )
    )
