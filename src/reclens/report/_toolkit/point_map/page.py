"""A map as one file of HTML that needs no network, and as the parts of a component of the dashboard."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from importlib import resources
from typing import Final

from reclens.report._toolkit.html import Document, render

__all__ = ["component_script", "component_style", "map_page"]

_SCRIPTS: Final = ("renderer.js", "model.js", "interaction.js", "panel.js")

_MOUNT: Final = """
const mounted = new WeakMap();
export default function ({ parentElement, data, setStateValue }) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const mark = bytes.length + ":" + bytes.subarray(0, 64).join() + bytes.subarray(-64).join();
  if (mounted.get(parentElement) === mark) return;
  mounted.set(parentElement, mark);
  const host = parentElement.querySelector(".pm-host");
  host.replaceChildren();
  const model = new MapModel(bytes);
  new MapPanel(host, model, (chosen) => setStateValue("selected", chosen.slice(0, 5000)));
}
"""


@cache
def _file(name: str) -> str:
    return resources.files("reclens.report._toolkit.point_map").joinpath(name).read_text(encoding="utf-8")


def component_style() -> str:
    """The style sheet of a map."""
    return _file("point_map.css")


def component_script() -> str:
    """The script of a component of Streamlit (``st.components.v2``), whose data is what :func:`pack_map` returns.

    Its HTML holds an element of the class ``pm-host``. Its state ``selected`` lists the places of the points that are
    selected, at most 5,000.
    """
    return "\n".join(map(_file, _SCRIPTS)) + _MOUNT


def map_page(
    packed: bytes, *, title: str, subject: str = "", notes: tuple[str, ...] = (), synthetic: bool = False
) -> Document:
    """A page with one map, in one file: no network, no server.

    Args:
        packed: What :func:`pack_map` returns.
        title: Heading of the page.
        subject: What it is about, in a line.
        notes: Sentences above the map, such as how far it can be trusted.
        synthetic: Whether the data are synthetic, which a banner says.
    """
    page = {
        "title": title,
        "subject": subject,
        "notes": notes,
        "synthetic": synthetic,
        "style": component_style(),
        "scripts": "\n".join(map(_file, _SCRIPTS)),
        "packed": base64.b64encode(gzip.compress(packed, 6, mtime=0)).decode(),
    }
    return render("map.html.j2", page)
