"""Executes a documentation page: writes its files, runs its commands and compares the output with the output on the page. A comment
above each block gives its kind:

    file: NAME       a file
    runs             commands
    asks             commands that send requests to the service that the page has started
    serves: PACKAGE  starts the service with this package
    prints           output of the previous block; `…` matches anything, and other lines may come in between
"""

import os
import re
import subprocess

from processes import ROOT, service


def blocks(page):
    """The page's marked blocks, in order: comment and text."""
    return re.findall(r"^<!-- ([^\n]+) -->\n```\w*\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def missing(output, expected):
    """The first expected line that is missing from the output, in order, or None."""
    found = iter(line.strip() for line in output.splitlines())

    def matches(line, wanted):
        return re.fullmatch(".*".join(map(re.escape, wanted.strip().split("…"))), line) is not None

    return next((wanted for wanted in expected.splitlines() if not any(matches(line, wanted) for line in found)), None)


class Page:
    """Executes a page from top to bottom in a folder. `program` is the service, and `path` is the PATH of the commands. A method
    `do_VERB` handles each kind of block; a subclass may add more. Processes end with `stack`.
    """

    def __init__(self, checks, page, folder, program, path, stack):
        self.checks, self.page, self.folder, self.program, self.path, self.stack = checks, page, folder, program, path, stack
        self.output = self.address = ""

    def perform(self):
        for what, text in blocks(self.page):
            verb, _, name = what.partition(": ")
            perform = getattr(self, f"do_{verb}", None)
            if perform:
                perform(name, text)
            else:
                self.checks.check(f"<!-- {what} --> is known", False)

    def do_file(self, name, text):
        (self.folder / name).write_text(text)

    def do_runs(self, _, text):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=self.folder, env=os.environ | {"PATH": self.path},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.output = done.stdout
        self.checks.check(f"it runs: {text.splitlines()[0]}", done.returncode == 0, self.output)

    def do_asks(self, _, text):
        self.do_runs(_, text.replace("http://127.0.0.1:8080", self.address))

    def do_serves(self, package, text):
        same = re.fullmatch(rf"MODEL_DIR={re.escape(package)} (\S+/)?predict-once\n", text)
        self.checks.check("the page's command starts the same service", same, text)
        port, _ = self.stack.enter_context(service(self.program, MODEL_DIR=str(self.folder / package)))
        self.address = f"http://127.0.0.1:{port}"

    def do_prints(self, _, text):
        absent = missing(self.output, text)
        self.checks.check(f"it prints {text.splitlines()[0]}", absent is None, f"no {absent!r} in\n{self.output}")
