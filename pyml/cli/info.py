"""pyml info: what commands run on."""

from importlib.util import find_spec

from pyml import config
from pyml.cli.output import columns, say, say_json

HELP = "show instruction set, threads, build and versions"
DESCRIPTION = "Shows what pyml runs on here, and which extras are installed."

EXTRAS = {"table": ("pyarrow", "pandas"), "excel": ("openpyxl",), "plot": ("matplotlib",)}


def add_options(parser):
    parser.add_argument("--json", action="store_true", help="print one document of JSON")


def run(options):
    found = config.show_config(mode="dicts")
    for extra, packages in EXTRAS.items():
        gone = [package for package in packages if find_spec(package) is None]
        cure = f'no {" and ".join(gone)}: pip install "pyml-nn[{extra}]"'
        found[f"extra {extra}"] = cure if gone else "installed"
    if options.json:
        say_json(found)
    else:
        texts = (", ".join(v) if isinstance(v, list) else str(v) for v in found.values())
        say(*columns(zip(found, texts, strict=True)))
    return 0
