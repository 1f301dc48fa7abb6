"""The journeys: the only place that owns a plan."""

from ._config import MapConfig as MapConfig
from ._config import versions as versions
from ._fit import candidate as candidate
from ._fit import design as design
from ._fit import load_fitted as load_fitted
from ._fit import read_front as read_front
from ._fit import reference as reference
from ._ladder import LADDER as LADDER
from ._ladder import Rung as Rung
from ._ladder import ladder as ladder
from ._map import MapProgress as MapProgress
from ._map import MapResult as MapResult
from ._map import StopReason as StopReason
from ._map import explore as explore
from ._map import store_header as store_header
from ._map_flow import FlowMapConfig as FlowMapConfig
from ._map_flow import map_flow as map_flow
from ._report import ReportConfig as ReportConfig
from ._report import gather_report as gather_report
from ._report import report as report
from ._report import report_flow as report_flow
from ._sets import PlanProgress as PlanProgress
from ._sets import SamplingConfig as SamplingConfig
from ._sets import Sets as Sets
from ._sets import landscape_points as landscape_points
from ._sets import make_sets as make_sets
