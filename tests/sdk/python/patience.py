"""Waiting for what comes in its own time."""

import time

DEADLINE_S = 30
PAUSE_S = 0.02


def eventually(what, condition):
    """What `condition` gives, as soon as that is true; an error that names `what`, when it never is."""
    deadline = time.monotonic() + DEADLINE_S
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what}")
        time.sleep(PAUSE_S)
    return seen


def moment_later():
    """Lets the clock go on, so that what comes before and what comes after differ in their time."""
    time.sleep(PAUSE_S)
