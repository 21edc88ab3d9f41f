from pyml._types import Path
from pyml import load as load
def load_metadata(path: Path) -> dict[str, str]: ...
from pyml import save as save
