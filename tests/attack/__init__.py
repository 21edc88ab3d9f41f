"""Attacks: random hostile use of what is public, short in an ordinary run, long by `make attack`.

An attack is a function attack(rng, tell) that makes one case of random choices, all drawn from
`rng`, says by tell(text) what it is about to do, and raises a Fault if what happened is not
allowed. children.py runs it, many cases to a process, and sees crashes and hangs; the line
that it prints runs one case again.
"""
