"""From a table to a model: readers, what columns are, numbers for a network, and a network with all
of it in one file.

    fitted = tabular.fit("diamonds.csv", "price")
    fitted.model.save("diamonds.safetensors")

does what these do, and trains:

    table = tabular.read("diamonds.csv")
    schema = tabular.Schema.infer(table, "price")
    parts = tabular.split(table)
    model = tabular.TabularModel.for_table(schema, table.take(parts.train))
"""

from pyml.tabular import (
    fitting,
    model,
    networks,
    preprocessor,
    reading,
    recipes,
    schema,
    scoring,
    splitting,
    table,
    target,
)
from pyml.tabular.fitting import *
from pyml.tabular.model import *
from pyml.tabular.networks import *
from pyml.tabular.preprocessor import *
from pyml.tabular.reading import *
from pyml.tabular.recipes import *
from pyml.tabular.schema import *
from pyml.tabular.scoring import *
from pyml.tabular.splitting import *
from pyml.tabular.table import *
from pyml.tabular.target import *

_FAMILIES = (
    *(fitting, model, networks, preprocessor, reading, recipes, schema, scoring, splitting),
    *(table, target),
)

__all__ = [name for family in _FAMILIES for name in family.__all__]
