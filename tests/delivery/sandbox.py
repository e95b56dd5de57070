"""Runs a program as in a container, using bubblewrap (bwrap): its own read-only root file system, an unprivileged user, and only the
network of this machine.
"""

import contextlib
import json
import os
import subprocess
from pathlib import Path

from processes import ROOT, process

USER = "65532"


def root_of(binary, folder):
    """A root file system with this binary, created like the image's."""
    subprocess.run([ROOT / "container/make-root", binary, folder], check=True)
    return folder


@contextlib.contextmanager
def sandbox(root, command, mounts=(), writable=(), env=None):
    """Runs `command` in `root` as process 1. `mounts` are pairs of a host path and a path in the sandbox. Yields the sandbox's process,
    the command's log, and the command's process id.
    """
    options = ["--unshare-all", "--share-net", "--as-pid-1", "--die-with-parent", "--new-session", "--clearenv"]
    options += ["--uid", USER, "--gid", USER, "--cap-drop", "ALL", "--ro-bind", str(root), "/"]
    # Container engines create mount points in a layer of their own.
    for place in ("/proc", "/dev", *writable, *(there for _, there in mounts)):
        here = next((Path(here) for here, there in mounts if there == place), None)
        point = root / place.lstrip("/")
        if here and here.is_file():
            point.parent.mkdir(parents=True, exist_ok=True)
            point.touch()
        else:
            point.mkdir(parents=True, exist_ok=True)
    options += ["--proc", "/proc", "--dev", "/dev"]
    for here, there in mounts:
        options += ["--ro-bind", str(here), there]
    for place in writable:
        options += ["--tmpfs", place]
    for name, value in (env or {}).items():
        options += ["--setenv", name, value]
    reading, writing = os.pipe()
    with open(reading) as status, open(writing, "w"):
        arguments = ["bwrap", *options, "--json-status-fd", str(writing), "--", *command]
        with process(arguments, pass_fds=(writing,)) as (child, log):
            yield child, log, json.loads(status.readline())["child-pid"]
