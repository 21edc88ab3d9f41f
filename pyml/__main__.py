"""python -m pyml"""

import sys

from pyml.cli import main

if __name__ == "__main__":
    sys.exit(main())
