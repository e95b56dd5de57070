"""Checks that a release's archives depend only on their files' contents and the commit's date, and that release/check-size refuses a
zip of an unexpected size. `run` starts it. tests/delivery/reproducible checks that two builds produce the same contents.
"""

import json
import os
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


def check_size(folder, size, *options, arch="x86_64"):
    """Runs release/check-size on a zip of this size, with the expected sizes in `folder`."""
    file = folder / f"predict-once-1.0.0-lambda-{arch}.zip"
    file.write_bytes(bytes(size))
    command = [ROOT / "release/check-size", file, "--sizes", folder / "size.json", *options]
    return subprocess.run(command, capture_output=True, text=True)


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

    (folder / "size.json").write_text(json.dumps({"x86_64": 1000}))
    for size, accepted in ((949, False), (950, True), (1050, True), (1051, False)):
        done = check_size(folder, size)
        promise = f"1,000 bytes expected: {size:,} are {'accepted' if accepted else 'refused'}"
        checks.check(promise, (done.returncode == 0) == accepted, done)
    checks.check("the refusal says how to accept the size", f"{folder.name}" in done.stderr and "--accept" in done.stderr, done)
    checks.equal("a processor without an expected size passes", check_size(folder, 5, arch="arm64").returncode, 0)
    checks.equal("--accept records the size", check_size(folder, 1051, "--accept").returncode, 0)
    checks.equal("which then passes", check_size(folder, 1051).returncode, 0)
sys.exit(checks.finish())
