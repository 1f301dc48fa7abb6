"""What has been found, and how it hangs together.

A tour:

- `Minimum`, `TransitionState`: stationary points as records, each with its `Certificate`; what
  failed is `Rejected`.
- `Store`: a landscape in a database file (SQLite, or any SQLAlchemy URL). It grows by whole
  `Round`s, survives being killed at any moment, and refuses another system's points.
- `Landscape`: the reader's handle on a store: data frames, network, completeness, integrity.
- `TransitionNetwork`: the same as frozen arrays: components, lowest barriers, subsets.
- `disconnectivity_tree`: superbasins by energy level (or exactly), with a layout; `viz` draws it.
- `FlowGraph` (`FlowNode`, `FlowLink`): attractors and saddles of a dynamics, which has no energy,
  and what leads where, from a store of the same kind; `thalweg.workflows.map_flow` makes one.
- `pathway`: the continuous path of steepest descent between two minima.
- `network_statistics`: degrees, clustering, path lengths and the like, for graph theory.
- `stationary_points`: points of every index at once, with their Morse sum (small systems).
- `estimate_completeness`: how many points are probably still missing, from discovery counts.

```python
with Landscape.open("lj13.db") as landscape:
    landscape.minima.sort_values("energy").head()
    landscape.network.lowest_barrier(0, 1)
    print(landscape.completeness)
```
"""

from ._collect import Collector as Collector
from ._completeness import CompletenessEstimate as CompletenessEstimate
from ._completeness import estimate_completeness as estimate_completeness
from ._connect import LinkRule as LinkRule
from ._connect import PairDistances as PairDistances
from ._connect import between_components as between_components
from ._connect import missing_links as missing_links
from ._connect import single_ended as single_ended
from ._connect import untrap as untrap
from ._disconnectivity import DisconnectivityTree as DisconnectivityTree
from ._disconnectivity import disconnectivity_tree as disconnectivity_tree
from ._flow_graph import FlowGraph as FlowGraph
from ._flow_graph import FlowLink as FlowLink
from ._flow_graph import FlowNode as FlowNode
from ._flow_graph import NodeKind as NodeKind
from ._identity import PointIndex as PointIndex
from ._identity import Tolerance as Tolerance
from ._identity import fingerprints as fingerprints
from ._import import import_network as import_network
from ._integrity import Integrity as Integrity
from ._landscape import Completeness as Completeness
from ._landscape import Landscape as Landscape
from ._network import SpanningForest as SpanningForest
from ._network import TransitionNetwork as TransitionNetwork
from ._path_record import Detour as Detour
from ._path_record import Pathway as Pathway
from ._pathway import pathway as pathway
from ._route import lowest_route as lowest_route
from ._schema import SCHEMA_VERSION as SCHEMA_VERSION
from ._schema import StoreHeader as StoreHeader
from ._stationary import Attempt as Attempt
from ._stationary import Discovery as Discovery
from ._stationary import Minimum as Minimum
from ._stationary import Rejected as Rejected
from ._stationary import Round as Round
from ._stationary import TransitionState as TransitionState
from ._stationary_points import StationaryPoints as StationaryPoints
from ._stationary_points import stationary_points as stationary_points
from ._statistics import NetworkStatistics as NetworkStatistics
from ._statistics import network_statistics as network_statistics
from ._store import Store as Store
