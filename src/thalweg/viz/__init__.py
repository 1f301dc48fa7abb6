"""Data in, figures out; it computes nothing.

- `plot_tree`: a disconnectivity graph on matplotlib axes, coloured by group or by value.
- `plot_arrhenius`, `plot_timescales`: first-passage times against 1/T; slow time scales.
- `plot_pathway`: the energy along a path, with its stationary points.
- `plot_heat_capacity`: a superposition's heat capacity with its parts, its uncertainty and samples.
- `save_figure`: to png, pdf or svg, ready to print.

```python
ax = plot_tree(disconnectivity_tree(landscape.network), energy_label="Energy / ε")
save_figure(ax.figure, "lj13.pdf")
```
"""

from ._kinetics import plot_arrhenius as plot_arrhenius
from ._kinetics import plot_timescales as plot_timescales
from ._pathway import plot_pathway as plot_pathway
from ._style import save_figure as save_figure
from ._thermo import plot_heat_capacity as plot_heat_capacity
from ._tree import TreeStyle as TreeStyle
from ._tree import figure_size as figure_size
from ._tree import plot_tree as plot_tree
