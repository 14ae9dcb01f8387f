"""Maps of points that one pans, zooms, searches, filters and lassoes, in the dashboard and as one file of HTML.

The points are drawn by ``renderer.js`` (WebGL2, one draw call a frame); ``model.js`` holds what is shown and selected,
``interaction.js`` is one view, ``panel.js`` what stands around the views. They are plain scripts in this order; nothing
is built and nothing is fetched.
"""

from reclens.report._toolkit.point_map.packed import (
    BEHIND,
    UNSURE,
    MapColumn,
    MapFinding,
    MapLabel,
    MapView,
    pack_map,
)
from reclens.report._toolkit.point_map.page import component_script, component_style, map_page

__all__ = [
    "BEHIND",
    "UNSURE",
    "MapColumn",
    "MapFinding",
    "MapLabel",
    "MapView",
    "component_script",
    "component_style",
    "map_page",
    "pack_map",
]
