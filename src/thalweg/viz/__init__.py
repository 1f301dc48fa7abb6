"""Data in, figures out; it computes nothing.

- `plot_tree`: a disconnectivity graph on matplotlib axes, coloured by group or by value.
- `plot_heat_capacity`: a superposition's heat capacity with its parts, its uncertainty and samples.
- `plot_arrhenius`, `plot_timescales`: first-passage times against 1/T; slow time scales.
- `plot_trajectories`: paths of a dynamics in time; `plot_flow_graph`: its attractors and saddles.
- `plot_pathway`: the energy along a path, with its stationary points; `plot_profiles`: beside
  straight lines between the same two points.
- `plot_trees`: several trees side by side, on a common scale or their own.
- `plot_predictions`: how minima of a loss predict, against their energy and flatness.
- `plot_training`, `plot_gradient_flow`: courses of training; how gradients travel back in time.
- `plot_front`: measured force fields, accuracy against speed.
- `save_figure`: to png, pdf or svg, ready to print.
- `write_report`: a `ReportData` as one HTML file that needs no network; `thalweg.workflows.report`
  gathers one from a landscape. `write_flow_report` writes that of a flow.

```python
ax = plot_tree(disconnectivity_tree(landscape.network), energy_label="Energy / ε")
save_figure(ax.figure, "lj13.pdf")
```
"""

from ._comparison import write_comparison as write_comparison
from ._dynamics import plot_trajectories as plot_trajectories
from ._flow_graph import plot_flow_graph as plot_flow_graph
from ._flow_report import flow_report_html as flow_report_html
from ._flow_report import write_flow_report as write_flow_report
from ._front import plot_front as plot_front
from ._kinetics import plot_arrhenius as plot_arrhenius
from ._kinetics import plot_timescales as plot_timescales
from ._pathway import plot_pathway as plot_pathway
from ._predictions import plot_predictions as plot_predictions
from ._profiles import Profile as Profile
from ._profiles import plot_profiles as plot_profiles
from ._report import report_html as report_html
from ._report import write_report as write_report
from ._report_data import Contour as Contour
from ._report_data import Evidence as Evidence
from ._report_data import KineticCurves as KineticCurves
from ._report_data import NetworkFacts as NetworkFacts
from ._report_data import PathProfile as PathProfile
from ._report_data import PredictionFacts as PredictionFacts
from ._report_data import Provenance as Provenance
from ._report_data import ReportData as ReportData
from ._report_data import RoundCurves as RoundCurves
from ._report_data import ThermoCurves as ThermoCurves
from ._report_data import Unavailable as Unavailable
from ._style import save_figure as save_figure
from ._thermo import plot_heat_capacity as plot_heat_capacity
from ._training import plot_gradient_flow as plot_gradient_flow
from ._training import plot_training as plot_training
from ._tree import TreeStyle as TreeStyle
from ._tree import figure_size as figure_size
from ._tree import plot_tree as plot_tree
from ._trees import TreePanel as TreePanel
from ._trees import plot_trees as plot_trees
