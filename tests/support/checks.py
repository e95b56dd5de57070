"""How the tests in Python report: a line per check, and a count."""

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
        """An exception fails this part, and the next one is still tried."""
        try:
            yield
        except Exception as error:  # Whatever went wrong is a failed check, with its reason.
            self.check(title, False, f"{type(error).__name__}: {error}")

    def finish(self):
        """The exit status: checks that did not run prove nothing."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0
