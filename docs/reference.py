"""Writes the pages of the API reference: all that stubs.py finds public today."""

import inspect
import re
from itertools import groupby

import stubs

HEADS = ("Classes", "Functions", "Values", "Names of other modules")
SECTION = re.compile(r"[A-Z]\w*( \w+)?:$")  # Args:, Raises:, ... which napoleon reads
ITEM = re.compile(r" *[\w, ]+: ")
SAID = "\n".join  # lines of a page


def full(module):
    return "pyml" if module == "pyml" else f"pyml.{module}"


def write(folder):
    """A page for each public module, and the list of them. What has not changed is not written."""
    pages = {f"{full(module)}.rst": page(module) for module in stubs.rows.MODULES}
    pages["index.rst"] = index()
    folder.mkdir(exist_ok=True)
    for path in {*folder.iterdir()} - {folder / name for name in pages}:
        path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def index():
    lines = [
        *title("API reference"),
        "Every public name, found by looking.",
        "",
        ".. list-table::",
        "",
    ]
    for module in sorted(stubs.rows.MODULES, key=full):
        line = (stubs.module_of(module).__doc__ or "").partition("\n")[0]
        lines += [f"   * - :doc:`{full(module)}`", f"     - {plain(line)}"]
    return SAID([*lines, ""])


def page(module):
    """A class or function is described where it is at home by the stubs, elsewhere linked."""
    found = {head: [] for head in HEADS}
    for name, value in sorted(stubs.public(stubs.module_of(module)).items()):
        head, lines = described(module, name, value)
        found[head] += lines
    lines = [*title(full(module)), f".. automodule:: {full(module)}", "   :no-members:", ""]
    for head, described_lines in found.items():
        if described_lines:
            lines += [*title(head, "-"), *described_lines]
    return SAID(lines)


def described(module, name, value):
    path = f"{full(module)}.{name}"
    if inspect.ismodule(value):
        known = value.__name__.removeprefix("pyml.") in stubs.rows.MODULES
        text = f":doc:`{value.__name__}`" if known else f"``{value.__name__}``"
        return HEADS[3], [f"- {text}"]
    if inspect.isclass(value):
        home = stubs.homes().get(value, (module, name))
        members = ", ".join(name for name in stubs.members_of(value) if name[0] != "_")
        lines = [f".. autoclass:: {path}", "   :show-inheritance:", f"   :members: {members}", ""]
    elif callable(value):
        home = stubs.functions().get(id(value), (module, name))
        lines = [f".. autofunction:: {path}", ""]
    else:
        return HEADS[2], [f".. py:data:: {name}", f"   :value: {shown(value)}", ""]
    if home != (module, name):
        return HEADS[3], [f"- ``{name}``: :py:obj:`{full(home[0])}.{home[1]}`"]
    return HEADS[0] if inspect.isclass(value) else HEADS[1], lines


def title(text, line="="):
    return [text, line * len(text), ""]


def shown(value):
    text = " ".join(repr(value).split())
    return text if len(text) < 80 else f"{text[:76]} ..."


def plain(line):
    """A line of text for reStructuredText: no character of it is markup, but code in backticks."""
    parts = re.split(r"(`+[^`]+`+)", line)
    return "".join(
        f"``{part.strip('`')}``" if i % 2 else re.sub(r"([*|\\`]|_(?!\w))", r"\\\1", part)
        for i, part in enumerate(parts)
    )


def as_text(app, what, name, thing, options, lines):
    """Docstrings are plain text. What stands indented before the sections, or behind `::`, is code;
    lines of `name: what it is` are a list, in which a deeper line goes on."""
    written, section, code = [], "", None
    for paragraph in paragraphs(lines):
        indent = indent_of(paragraph[0])
        if code is not None and indent <= code:
            code = None
        if code is None and indent and not section and not (written and written[-1] == "::"):
            written += ["::", ""]
            code = 0
        if code is None and (found := SECTION.match(paragraph[0])):
            section = found[0]
            written.append(paragraph.pop(0))
        if code is None:
            cut = next((i for i, x in enumerate(paragraph) if x.lstrip()[:3] == ">>>"), None)
            text = paragraph[:cut]
            if section in ("", "Returns:"):
                text = listed(text)
            written += [plain(line) for line in text] + ["" for _ in (1,) if cut and text]
            if text and text[-1].endswith("::"):
                code = indent_of(text[0])
            paragraph = [] if cut is None else paragraph[cut:]
        written += [*paragraph, ""]
    lines[:] = written


def paragraphs(lines):
    return [[*lines] for blank, lines in groupby(lines, lambda line: not line.strip()) if not blank]


def listed(lines):
    """The lines of a paragraph; if it is a list, with a mark before each item."""
    if not lines:
        return lines
    indent = indent_of(lines[0])
    items = [line for line in lines if indent_of(line) == indent]
    if all(line.lstrip().startswith("- ") for line in items):
        mark = ""
    elif len(items) > 1 and all(ITEM.match(line) for line in items):
        mark = "- "
    else:
        return lines
    first, more = " " * indent + mark, " " * (indent + 2)
    return [(first if line in items else more) + line.lstrip() for line in lines]


def indent_of(line):
    return len(line) - len(line.lstrip())
