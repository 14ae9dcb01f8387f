"""The workbook against Tableau's own schema: the order of elements always, the whole file where the schema is at hand.

The schemas are in https://github.com/tableau/tableau-document-schemas; ``TABLEAU_XSD`` names the file of one.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from reclens.edges._workbook import write_workbook

ORDER = {
    "workbook": ("datasources", "worksheets", "windows"),
    "datasource": ("connection", "aliases", "column", "column-instance"),
    "column": ("aliases", "desc"),
    "worksheet": ("table", "simple-id"),
    "table": ("view", "style", "panes", "rows", "cols"),
    "view": ("datasources", "datasource-dependencies", "filter", "slices", "aggregation", "breakdown"),
    "pane": ("view", "mark", "encodings", "style"),
    "filter": ("groupfilter",),
    "window": ("cards", "viewpoint", "simple-id"),
    "cards": ("edge",),
    "edge": ("strip",),
    "strip": ("card",),
}
"""Element -> those of its children that we write, in the order of the schema of 2026.2, where each is a sequence."""
NEEDED = {
    "workbook": ("source-build", "version"),
    "worksheet": ("name", "simple-id"),
    "table": ("view", "style", "panes", "rows", "cols"),
    "pane": ("view", "mark"),
    "window": ("class", "name", "cards"),
    "column-instance": ("column", "derivation", "name", "pivot", "type"),
    "simple-id": ("uuid",),
    "metadata-record": ("class", "remote-name", "remote-alias", "aggregation", "contains-null"),
}
"""Element -> the attributes and children that it cannot be without."""

XS = "http://www.w3.org/2001/XMLSchema"
USER = (
    '<xs:attributeGroup name="UserAttributes-AG">'
    '<xs:anyAttribute namespace="##targetNamespace" processContents="skip"/></xs:attributeGroup>'
)
ELSEWHERE = {
    "http://www.tableausoftware.com/xml/user": USER,
    "http://www.w3.org/XML/1998/namespace": '<xs:attribute name="base" type="xs:anyURI"/>',
}
"""What the schema imports without saying where it is; Tableau's validator has stubs for the two as well."""
GAP = "Element 'workbook': Missing child element(s)."
"""The schema wants ``explain-data``, which hardly any workbook has: Tableau's validator passes over that."""


@pytest.mark.parametrize("metric", [None, "ndcg@10"])
def test_elements_are_in_the_order_of_the_schema(metric: str | None) -> None:
    root = ET.fromstring(write_workbook(metric))
    seen = set()
    for element in root.iter():
        tags = [child.tag for child in element]
        if element.tag in ORDER:
            seen.add(element.tag)
            assert tags == sorted(tags, key=ORDER[element.tag].index), element.tag
        missing = set(NEEDED.get(element.tag, ())) - {*tags, *element.attrib}
        assert not missing, (element.tag, missing)
    assert seen == set(ORDER)
    identities = [each.get("uuid") for each in root.iter("simple-id")]
    assert len(identities) == len(set(identities)) == 2 * len(root.findall("worksheets/worksheet"))


@pytest.mark.skipif("TABLEAU_XSD" not in os.environ, reason="TABLEAU_XSD names no schema of tableau-document-schemas")
def test_the_workbook_fits_the_schema_of_tableau(tmp_path: Path) -> None:
    etree = pytest.importorskip("lxml.etree", reason="needs lxml")
    tree = etree.parse(os.environ["TABLEAU_XSD"])
    for at, imported in enumerate(tree.iterfind(f"{{{XS}}}import")):
        space, stub = imported.get("namespace"), tmp_path / f"{at}.xsd"
        stub.write_text(f'<xs:schema xmlns:xs="{XS}" targetNamespace="{space}">{ELSEWHERE[space]}</xs:schema>')
        imported.set("schemaLocation", stub.as_uri())
    schema = etree.XMLSchema(tree)
    for metric in (None, "ndcg@10", 'a"b\\c <&>'):
        schema.validate(etree.fromstring(write_workbook(metric)))
        said = [each.message for each in schema.error_log]
        assert [each for each in said if not (each.startswith(GAP) and "explain-data" in each)] == []
