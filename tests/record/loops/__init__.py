"""Training loops as people write them: each is played eagerly and recorded, bit for bit the same.

A module has a theme, and enters its loops into one table, `LOOPS`. `python -m record.loops`, in
tests/, prints what becomes of each.
"""

import importlib
import pkgutil

from record.loops.harness import LOOPS, play

for _module in pkgutil.iter_modules(__path__):
    if _module.name != "__main__":
        importlib.import_module(f"{__name__}.{_module.name}")
