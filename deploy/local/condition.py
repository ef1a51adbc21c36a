"""Waiting for a condition, with a deadline."""

from collections.abc import Callable

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential


def came_true(look: Callable[[], bool], seconds: float) -> bool:
    """Look again and again until it is true; whether it became so in time."""
    waits = Retrying(
        stop=stop_after_delay(seconds), wait=wait_exponential(0.2, max=1), retry=retry_if_result(lambda true: not true)
    )
    try:
        return waits(look)
    except RetryError:
        return False
