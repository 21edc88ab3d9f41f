"""scikit-learn's interface: pip install "pyml-nn[sklearn]".

`import pyml` does not import scikit-learn, nor this.
"""

try:
    import sklearn as _sklearn
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f'pyml.estimators needs {_error.name}: pip install "pyml-nn[sklearn]"', name=_error.name
    ) from None

from pyml.estimators import conversion, mlp, tabular
from pyml.estimators.conversion import *
from pyml.estimators.mlp import *
from pyml.estimators.tabular import *

_FAMILIES = conversion, mlp, tabular

__all__ = [name for family in _FAMILIES for name in family.__all__]
