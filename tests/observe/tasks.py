"""What workers of a test run: here, so that they import nothing heavy for it."""

import time

from distributed import get_worker


def slowly(number: int) -> int:
    time.sleep(0.1)
    return number


def divide(number: int) -> float:
    return 1 / number


def grow() -> None:
    held = []
    while True:
        held.append(bytearray(b"x") * 50_000_000)
        time.sleep(0.02)


def tell_rounds(count: int) -> None:
    for number in range(1, count + 1):
        metrics = {"validation_0-auc": 0.9 - 1 / (number + 2)}
        told = {"kind": "training-round", "round": number, "total": count, "metrics": metrics}
        get_worker().log_event("dmlkit", told)
