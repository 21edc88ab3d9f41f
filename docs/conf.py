"""The site of the documentation: `make docs`.

The pages are Markdown that GitHub shows as it stands, so the source is the whole tree, of which
_toc.yml names the pages; only those of reference/ are written here, from what pyml exports.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import reference

import pyml

project = "pyml"
author = "the authors of pyml"
version = release = pyml.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_external_toc",
]
include_patterns = ["*.md", "docs/*.md", "docs/reference/*.rst", "bench/README.md"]
exclude_patterns = [".*", "build", "dist", "runs"]
external_toc_path = "docs/_toc.yml"

myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]

autodoc_member_order = "alphabetical"
autodoc_typehints = "none"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_param = False  # a line may be of several arguments
napoleon_custom_sections = [
    "Returns",
    ("Attributes", "params_style"),
    ("Shape", "params_style"),
]

smartquotes = False  # "mean" is code
html_theme = "furo"
html_title = f"pyml {pyml.__version__}"
html_copy_source = False
templates_path = []


def setup(app):
    reference.write(ROOT / "docs" / "reference")
    app.connect("autodoc-process-docstring", reference.as_text, priority=1)
