"""Functions on threads at the same time."""

import threading

from helpers.forks import HANG


def together(functions):
    """Runs each on a thread of its own; returns what they return, or raises what one has raised."""
    gate, results, errors = threading.Barrier(len(functions)), [None] * len(functions), []

    def guarded(i):
        try:
            gate.wait()
            results[i] = functions[i]()
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=guarded, args=(i,), daemon=True) for i in range(len(functions))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return results
