"""That the wheel which is installed has the list of what is in it, with all licences (PEP 770)."""

import json
from importlib.metadata import distribution

wheel = distribution("pyml-nn")
[file] = [file for file in wheel.files if file.match("*.dist-info/sboms/*.cdx.json")]
content = json.loads(file.read_text())
pyml, parts = content["metadata"]["component"], content["components"]
licences = {each["license"]["id"] for part in (pyml, *parts) for each in part["licenses"]}
assert (pyml["name"], pyml["version"]) == (wheel.name, wheel.version), pyml
# Cython's part of what it generates is Apache-2.0
assert licences == {*wheel.metadata["License-Expression"].split(" AND "), "Apache-2.0"}, licences
