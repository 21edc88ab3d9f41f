"""A child of a fork of this process, which tests what does not come along."""

import os
import threading

HANG = 60  # seconds after which a child is taken to hang


def in_child(function):
    """Forks, runs the function in the child, and returns its exit code; a hang is killed."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    timer = threading.Timer(HANG, lambda: os.kill(pid, 9))
    timer.start()
    status = os.waitpid(pid, 0)[1]
    timer.cancel()
    return os.waitstatus_to_exitcode(status)
