"""Files that are no part of a package."""

import importlib.util


def module_of(path):
    """A Python file as a module, which is not kept in sys.modules."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
