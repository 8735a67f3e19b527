"""Checks every page that write_pages makes: sound HTML5, accessible in what a program can see, legible colours.

usage: check_pages.py WRITE_PAGES FOLDER
"""
import html.parser
import pathlib
import re
import shutil
import subprocess
import sys

VOID = {"meta", "link", "input", "br", "hr", "img"}
INSIDE = {"dt": "div", "dd": "div", "li": "ol", "button": "form", "main": "div", "header": "div", "footer": "div"}
# Text and its ground, as style.css uses them.
PAIRS = [("text", "ground"), ("text", "card"), ("quiet", "card"), ("quiet", "ground"), ("on-accent", "accent"),
         ("on-accent", "accent-strong"), ("on-notice", "notice"), ("fault", "card"), ("text", "tint")]
GRAPHIC_PAIRS = [("field", "card"), ("accent", "card"), ("accent", "tint"), ("accent", "ground")]  # focus ring, sign: 3 is enough


class Page(html.parser.HTMLParser):
    def __init__(self, name):
        super().__init__()
        self.name, self.stack, self.seen, self.problems = name, [], [], []
        self.text, self.attributes, self.declared = {}, {}, False

    def problem(self, text):
        self.problems.append(f"{self.name}:{self.getpos()[0]}: {text}")

    def handle_decl(self, decl):
        self.declared = decl.lower() == "doctype html" and not self.seen

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        if len(names) != len(set(names)):
            self.problem(f"<{tag}> repeats an attribute")
        for name, value in attributes:
            if name.startswith("on") or name == "style":
                self.problem(f"<{tag}> has {name}=, which the content security policy forbids")
            if (value == "" and (tag, name) != ("input", "value")) or (value or "").startswith(("http:", "//")):
                self.problem(f"<{tag}> has a bad {name}=\"{value}\"")
        if tag in ("script", "style", "iframe", "img", "object", "base"):
            self.problem(f"<{tag}> has no place here")
        parent = self.stack[-1] if self.stack else None
        if tag in INSIDE and parent != INSIDE[tag]:
            self.problem(f"<{tag}> inside <{parent}>")
        if parent == "p" and tag in ("p", "div", "form", "ol", "dl", "h1"):
            self.problem(f"<{tag}> inside <p>")
        self.seen.append(tag)
        self.attributes.setdefault(tag, []).append(dict(attributes))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        if "svg" not in self.stack:
            self.problem(f"<{tag}/> closes itself outside svg")

    def handle_endtag(self, tag):
        if not self.stack or self.stack[-1] != tag:
            self.problem(f"</{tag}> does not close {self.stack[-1:]}")
        else:
            self.stack.pop()

    def handle_data(self, data):
        if self.stack:
            self.text[self.stack[-1]] = self.text.get(self.stack[-1], "") + data

    def finish(self, language):
        if not self.declared:
            self.problem("no <!DOCTYPE html>")
        if self.stack:
            self.problem(f"not closed: {self.stack}")
        if self.attributes["html"] != [{"lang": language}]:
            self.problem("wrong lang")
        for tag in ("h1", "title", "main", "footer"):
            if self.seen.count(tag) != 1:
                self.problem(f"{self.seen.count(tag)} <{tag}>")
        for tag in ("h1", "title", "p"):
            if not self.text.get(tag, "").strip():
                self.problem(f"empty <{tag}>")
        for attributes in self.attributes.get("svg", []):
            if attributes.get("aria-hidden") != "true":
                self.problem("a picture that screen readers would meet")
        for attributes in self.attributes.get("form", []):
            if attributes.get("method") != "post" or not attributes.get("action", "").startswith("/"):
                self.problem(f"form {attributes}")
        for tag in ("a", "button"):
            words = re.findall(r"\w", self.text.get(tag, ""))
            if len(words) < 3 * self.seen.count(tag):
                self.problem(f"a <{tag}> without words")
        if "{" in "".join(self.text.values()):
            self.problem("a marker was left in the text")
        viewports = [meta["content"] for meta in self.attributes["meta"] if meta.get("name") == "viewport"]
        if len(viewports) != 1 or "user-scalable" in viewports[0]:
            self.problem("no viewport, or one that forbids zooming")
        return self.problems


def contrast(a, b):
    def luminance(colour):
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def colour_problems(css):
    blocks = re.findall(r":root \{([^}]*)\}", css)
    schemes = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]
    assert len(schemes) == 2, "a light and a dark scheme"
    for scheme, name in zip(schemes, ("light", "dark")):
        for pairs, least in ((PAIRS, 4.5), (GRAPHIC_PAIRS, 3)):
            for front, ground in pairs:
                ratio = contrast(scheme[front], scheme[ground])
                if ratio < least:
                    yield f"style.css: {front} on {ground} ({name} scheme) has a contrast of {ratio:.2f}, below {least}"


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([program, folder], check=True, timeout=30)
    problems = list(colour_problems((folder / "style.css").read_text()))
    pages = sorted(folder.glob("*.html"))
    headings = {}
    for path in pages:
        state, language = path.stem.split(".")
        page = Page(path.name)
        page.feed(path.read_text())
        page.close()
        problems += page.finish(language)
        headings.setdefault(language, {})[state.split("-")[0]] = page.text["h1"]
    for language, texts in headings.items():
        if len(set(texts.values())) != len(texts):
            problems.append(f"two states share a heading in {language}")
    if set(headings["sv"].values()) & set(headings["en"].values()):
        problems.append("a heading is the same in both languages")
    print("\n".join(problems))
    print(f"{len(pages)} pages, {len(problems)} problems")
    sys.exit(bool(problems) or len(pages) < 30)


main()
