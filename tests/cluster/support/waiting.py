"""wait_until: the only way tests wait."""
from __future__ import annotations

import time


class WaitTimeout(AssertionError):
    pass


def wait_until(predicate, timeout: float, what: str, interval: float = 0.02):
    """Returns the first truthy value of predicate(). OSError inside counts as "not yet"."""
    deadline = time.monotonic() + timeout
    last_error = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            last_error = None
        except OSError as error:
            last_error = error
        if time.monotonic() >= deadline:
            because = f" (last: {last_error!r})" if last_error else ""
            raise WaitTimeout(f"waited {timeout:g} s in vain for: {what}{because}")
        time.sleep(interval)
