"""The structs of contracts/ as data, for the build (setup.py) and for tests."""

import re
from pathlib import Path
from typing import NamedTuple

CONTRACTS = sorted(Path(__file__).with_name("contracts").glob("*.h"))


class Field(NamedTuple):
    """A field of a struct.

    Attributes:
        kind: the type in C, without `const` and `*`.
        name: of the field.
        is_const, is_pointer: whether those belong to it.
        count: the elements of an array in the struct; 1 for what is none.
    """

    kind: str
    name: str
    is_const: bool
    is_pointer: bool
    count: int


def read_structs(text=None):
    """{name: [Field]} of the structs of a header, in its order. `text`: by default all contracts.

    Raises:
        ValueError: for a line that is no field, or a size that is no number or enum of the header.
    """
    if text is None:
        text = "".join(path.read_text() for path in CONTRACTS)
    text = re.sub(r"/\*[\s\S]*?\*/", "", text)
    sizes = {name: int(size) for name, size in re.findall(r"enum \{ (\w+) = (\d+) \}", text)}
    structs = {}
    for body, struct in re.findall(r"typedef struct \{([^}]*)\} (\w+);", text):
        structs[struct] = []
        for declaration in filter(None, map(str.strip, body.split(";"))):
            const, kind, names = re.match(r"(const )?(\w+) (.*)$", declaration, re.S).groups()
            for declarator in names.split(","):
                found = re.match(r"\s*(\*?)(\w+)(?:\[(\w+)\])?\s*$", declarator)
                size = found[3] or "1" if found else ""
                if not size.isdigit() and size not in sizes:
                    raise ValueError(f"{struct}: {declarator.strip()!r} of {declaration!r}")
                count = sizes.get(size) or int(size)
                structs[struct].append(Field(kind, found[2], bool(const), bool(found[1]), count))
    return structs
