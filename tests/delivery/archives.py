"""Checks that a release's archives depend only on their files' contents and the commit's date, and that an oversized function zip is
refused. `run` starts it. `make test-reproducible` checks that two builds produce the same contents.
"""

import os
import platform
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402

ARCH = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]

TEXT = (ROOT / "LICENSE").read_bytes()

checks = Checks()


def archive(folder, name, umask, mtime):
    """An archive of a program and a text, newly created with this umask and time."""
    os.umask(umask)
    folder.mkdir()
    (folder / "program").write_bytes(b"\x7fELF" * 10_000)
    (folder / "program").chmod(0o777 & ~umask)
    (folder / "text").write_bytes(TEXT)
    for file in folder.iterdir():
        os.utime(file, (mtime, mtime))
    command = [sys.executable, ROOT / "release/archive.py", folder / name, f"a={folder}/program", f"b={folder}/text"]
    subprocess.run(command, env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}, check=True)
    return folder / name


def function(folder, size):
    """Runs release/function with an incompressible bootstrap of this size."""
    bootstrap = folder / "bootstrap"
    bootstrap.write_bytes(os.urandom(size))
    bootstrap.chmod(0o755)
    command = [ROOT / "release/function", ARCH, bootstrap]
    return subprocess.run(command, env=os.environ | {"CARGO_TARGET_DIR": str(folder)}, capture_output=True, text=True)


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    for kind in ("a.zip", "a.tar.gz"):
        first = archive(folder / f"first-{kind}", kind, 0o022, 1e9)
        second = archive(folder / f"second-{kind}", kind, 0o077, 1.5e9)
        checks.check(f"{kind}: the same bytes for any time and umask", first.read_bytes() == second.read_bytes())
        if kind == "a.zip":
            entries = zipfile.ZipFile(first).infolist()
            seen = [(one.filename, oct(stat.S_IMODE(one.external_attr >> 16)), one.date_time) for one in entries]
            checks.equal(f"{kind}: is intact", zipfile.ZipFile(first).testzip(), None)
            size = entries[1].compress_size
            checks.check(f"{kind}: is smaller than with zlib", size < len(zlib.compress(TEXT, 9)) - 6, size)
            wanted = (2023, 11, 14, 22, 13, 20)
        else:
            with tarfile.open(first) as tar:
                seen, wanted = [(one.name, oct(one.mode), one.mtime) for one in tar.getmembers()], 1_700_000_000
        checks.equal(f"{kind}: order, modes and times", seen, [("a", "0o755", wanted), ("b", "0o644", wanted)])

    fits = function(folder, 7_990_000)
    checks.equal("a zip of less than 8,000,000 bytes is accepted", fits.returncode, 0)
    large = function(folder, 8_000_000)
    checks.check("a larger one is refused", large.returncode == 1 and "more than 8000000" in large.stderr, large)
sys.exit(checks.finish())
