"""Names of tests: the same in each process."""

import re


def without_addresses(text):
    """`<function f at 0x7f...>` as `<function f>`."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(text))
