"""Reporting for the Python tests: one line per check, and a count."""

import contextlib
import threading


class Checks:
    """Prints one line per check and counts. Several threads may share it."""

    def __init__(self):
        self.passed = self.failed = 0
        self.lock = threading.Lock()

    def check(self, promise, kept, seen=""):
        with self.lock:
            if kept:
                self.passed += 1
                print(f"ok - {promise}", flush=True)
            else:
                self.failed += 1
                print(f"not ok - {promise}: {seen}", flush=True)

    def equal(self, promise, actual, expected):
        self.check(promise, actual == expected, f"{actual!r}, not {expected!r}")

    @contextlib.contextmanager
    def part(self, title):
        """Reports an exception as a failed check, so that the next part still runs."""
        try:
            yield
        except Exception as error:
            self.check(title, False, f"{type(error).__name__}: {error}")

    def finish(self):
        """The exit status, which is a failure if no check ran."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0
