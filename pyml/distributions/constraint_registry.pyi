from pyml._types import Call
from pyml.distributions import Transform
from pyml.distributions.constraints import Constraint
from typing import Any
class ConstraintRegistry:
    def __init__(self) -> None: ...
    def register(self, constraint: Constraint | type[Constraint], factory: Call | None = None) -> Any: ...
    def __call__(self, constraint: Constraint) -> Transform: ...
biject_to: ConstraintRegistry
transform_to: ConstraintRegistry
