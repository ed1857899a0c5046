#!/usr/bin/env python3
"""Hold a page and a plot of hdnas to what they promise: well-formed, self-contained, every reference kept.

usage: report_check.py FILE.html|FILE.svg ...     prints what is wrong, exit 1 if anything is
"""
import html.parser
import re
import sys
import xml.etree.ElementTree as ET

VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}


class Balance(html.parser.HTMLParser):
    """An HTML parser's view: every tag is closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        if tag not in VOID and "svg" not in self.open:
            self.wrong.append(f"<{tag}/> closes nothing in HTML, at {self.getpos()}")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"unexpected </{tag}> at {self.getpos()}")


def check(path):
    wrong = []
    text = open(path, encoding="utf-8").read()
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        return [f"not well-formed: {error}"]
    if path.endswith(".html"):
        parser = Balance()
        parser.feed(text)
        parser.close()
        wrong += parser.wrong + [f"<{tag}> is never closed" for tag in parser.open]
        if len(root.findall(".//{http://www.w3.org/1999/xhtml}h1")) != 1:
            wrong.append("expected one h1")
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    wrong += [f"id {i} is there {ids.count(i)} times" for i in set(ids) if ids.count(i) > 1]
    for element in root.iter():
        tag = element.tag.split("}")[1]
        for name, value in element.attrib.items():
            if name in ("src", "data", "action") or name.endswith("}href"):
                wrong.append(f"<{tag}> has {name}={value}")
            if name == "href" and value[1:] not in ids:
                wrong.append(f"link to {value}, which is not there")
            if name == "aria-labelledby":
                wrong += [f"{i} names nothing" for i in value.split() if i not in ids]
        if tag == "svg" and element.find("{http://www.w3.org/2000/svg}title") is None:
            wrong.append("a picture without a title")
        if tag == "svg" and not element.get("viewBox"):
            wrong.append("an svg without a viewBox")
    for address in re.findall(r"[a-z]+://[^\s\"'<>]+", text):
        if not address.startswith("http://www.w3.org/"):
            wrong.append(f"an address outside the page: {address}")
    if re.search(r"@import|url\(", text):
        wrong.append("a style that fetches")
    if "prefers-color-scheme" not in text:
        wrong.append("no dark colours")
    if re.search(r"[=\s\"(,]-?(nan|inf)[\s\",)]", text):
        wrong.append("nan or inf among the numbers")
    return wrong


bad = [f"{path}: {w}" for path in sys.argv[1:] for w in check(path)]
print("\n".join(bad))
sys.exit(1 if bad else 0)
