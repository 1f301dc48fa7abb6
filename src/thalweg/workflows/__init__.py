"""The journeys: the only place that owns a plan."""

from ._config import MapConfig as MapConfig
from ._config import versions as versions
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
