from lxml import etree

from feed import TITLES


def application(environ, start_response):
    root = etree.Element("feed")
    for title in TITLES:
        etree.SubElement(root, "title").text = title
    start_response("200 OK", [("Content-Type", "application/xml")])
    return [etree.tostring(root)]
