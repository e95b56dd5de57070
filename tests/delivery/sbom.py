"""Checks that the bill of materials is valid CycloneDX and lists every crate in the binary. `run` starts it.

usage: sbom.py SBOM
"""

import json
import subprocess
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402

checks = Checks()


def compiled():
    """Names and versions of the crates in the binary, according to cargo."""
    command = ["cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {tuple(line.replace(" v", " ").split()[:2]) for line in lines}


text = Path(sys.argv[1]).read_text()
document = json.loads(text)
checks.equal("the SBOM is valid CycloneDX 1.5", JsonStrictValidator(SchemaVersion.V1_5).validate_str(text), None)
named = {(one["name"], one["version"]) for one in [document["metadata"]["component"], *document["components"]]}
crates = compiled()
checks.check(f"it lists all {len(crates)} crates", len(crates) > 100 and crates <= named, sorted(crates - named))
sys.exit(checks.finish())
