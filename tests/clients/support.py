"""What the checks of the clients and of the terminal share: a count, and the real service on a free port."""

import contextlib
import os
import re
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = {
    "installment_rate_in_percentage_of_disposable_income": 0.25,
    "age_in_years": 30,
    "foreign_worker": "yes",
    "present_employment_since": "unemployed",
    "personal_status_and_sex": "male: single",
}


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


def environment(**extra):
    """Nothing of the caller's that would configure the service, a client or the colours."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return inherited | extra


@contextlib.contextmanager
def service(binary, folder, **settings):
    """The address of a new service with an empty cache."""
    log = Path(folder, f"service-{time.monotonic_ns()}.log")
    with log.open("wb") as output:
        child = subprocess.Popen([binary], env=environment(PORT="0", **settings), stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while not (address := re.search(r"listening on (http:\S+)", log.read_text())):
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not start: {log.read_text()}")
            time.sleep(0.02)
        yield address[1]
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
