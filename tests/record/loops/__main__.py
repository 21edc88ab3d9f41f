"""What becomes of each loop, and how many of each kind there are."""

import argparse
import collections
import sys

from record.loops import LOOPS, play
from record.loops.harness import MEETS


def main():
    parser = argparse.ArgumentParser(prog="python -m record.loops", description=__doc__)
    parser.add_argument("words", nargs="*", help="only loops with one of these in their names")
    parser.add_argument("--all", action="store_true", help="also those that are as expected")
    chosen = parser.parse_args()
    kinds, fails = collections.Counter(), 0
    for name, loop in LOOPS.items():
        if chosen.words and not any(word in name for word in chosen.words):
            continue
        outcome = play(loop)
        kinds[outcome.kind] += 1
        meets = outcome.kind in MEETS[loop.expect]
        fails += not meets
        if chosen.all or not meets:
            print(f"{' ' if meets else '!'} {name} (expected {loop.expect}): {outcome}")
    sys.stdout.flush()
    print(f"{kinds.total()} loops:", ", ".join(f"{n} {kind}" for kind, n in kinds.most_common()))
    print(f"{fails} not as expected")
    return fails > 0


if __name__ == "__main__":
    sys.exit(main())
