"""Writes the pictures of docs/lecture.md, and what the scripts print into it.

python docs/lecture.py [names of scripts; all, if there is none]
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "lecture.md"


def main(names):
    for script in sorted((ROOT / "examples").glob("*.py")):
        if script.stem == "shown" or (names and script.stem not in names):
            continue
        printed = subprocess.run(
            [sys.executable, script],
            env=os.environ | {"PYML_ISA": "baseline"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        head = f"```text\n$ python examples/{script.name}\n"
        page, count = re.subn(
            re.escape(head) + r".*?```",
            lambda _, text=head + printed: text + "```",
            PAGE.read_text(),
            flags=re.S,
        )
        if count != 1:
            sys.exit(f"docs/lecture.md has {count} blocks that begin with\n{head}")
        PAGE.write_text(page)


if __name__ == "__main__":
    main(sys.argv[1:])
