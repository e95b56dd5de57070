"""Runs a program as a container does: a root file system of its own, read-only, a user without rights, and nothing of this
machine but its network. bubblewrap (bwrap) makes it.
"""

import contextlib
import json
import os
import subprocess
from pathlib import Path

from processes import ROOT, process

USER = "65532"


def root_of(binary, folder):
    """A root file system with this binary, made as the image's is."""
    subprocess.run([ROOT / "container/make-root", binary, folder], check=True)
    return folder


@contextlib.contextmanager
def sandbox(root, command, mounts=(), writable=(), env=None):
    """Runs `command` within `root` as process 1. `mounts` are pairs of a path here and one there. Gives the sandbox's process,
    what the command prints, and the command's process id.
    """
    options = ["--unshare-all", "--share-net", "--as-pid-1", "--die-with-parent", "--new-session", "--clearenv"]
    options += ["--uid", USER, "--gid", USER, "--cap-drop", "ALL", "--ro-bind", str(root), "/"]
    # A container's engine makes the places to mount in its own layer.
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
