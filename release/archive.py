"""Writes a reproducible archive: its bytes depend only on its contents, not on file times, owners, umask or directory order.

usage: archive.py ARCHIVE.zip|ARCHIVE.tar.gz NAME=FILE...

Files get the time SOURCE_DATE_EPOCH (default: the commit's) and mode 755 if executable, else 644.
"""

import gzip
import io
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path


def source_date():
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        given = subprocess.run(["git", "log", "-1", "--format=%ct"], capture_output=True, text=True, check=True).stdout
    return int(given)


def mode(file):
    return 0o755 if file.stat().st_mode & 0o100 else 0o644


class Deflate:
    """A libdeflate compressor for zipfile: its best level is 3 % smaller than zlib's and no larger than Zopfli's."""

    def __init__(self, *_):
        self.parts = []

    def compress(self, part):
        self.parts.append(bytes(part))
        return b""

    def flush(self):
        import deflate

        return deflate.deflate_compress(b"".join(self.parts), 12)


def write_zip(archive, entries, date):
    # zipfile has no public API for another compressor.
    zipfile._get_compressor = Deflate
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for name, file in entries:
            entry = zipfile.ZipInfo(name, time.gmtime(date)[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix on every platform, because Lambda reads the mode
            entry.external_attr = (0o100000 | mode(file)) << 16
            out.writestr(entry, file.read_bytes())


def write_tar(archive, entries, date):
    with (
        archive.open("wb") as written,
        gzip.GzipFile("", "wb", fileobj=written, mtime=date) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as out,
    ):
        for name, file in entries:
            entry = tarfile.TarInfo(name)
            content = file.read_bytes()
            entry.size, entry.mtime, entry.mode = len(content), date, mode(file)
            out.addfile(entry, io.BytesIO(content))


def main():
    archive = Path(sys.argv[1])
    entries = [(name, Path(file)) for name, _, file in (argument.partition("=") for argument in sys.argv[2:])]
    archive.parent.mkdir(parents=True, exist_ok=True)
    write = write_zip if archive.suffix == ".zip" else write_tar
    write(archive, entries, source_date())


if __name__ == "__main__":
    main()
