"""Checks that the bills of materials of a release, of the server and of the function, are valid CycloneDX and list every crate in the
binary. `run` starts it.

usage: sbom.py SBOM...
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


def compiled(*features):
    """Names and versions of the crates in the binary, according to cargo."""
    command = ["cargo", "tree", "--locked", *features, "--edges", "normal", "--prefix", "none", "--format", "{p}"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {tuple(line.replace(" v", " ").split()[:2]) for line in lines}


for path in map(Path, sys.argv[1:]):
    is_function = "-lambda-" in path.name
    text = path.read_text()
    document = json.loads(text)
    checks.equal(f"{path.name} is valid CycloneDX 1.5", JsonStrictValidator(SchemaVersion.V1_5).validate_str(text), None)
    named = {(one["name"], one["version"]) for one in [document["metadata"]["component"], *document["components"]]}
    crates = compiled("--no-default-features") if is_function else compiled()
    checks.check(f"it lists all {len(crates)} crates", len(crates) > 100 and crates <= named, sorted(crates - named))
    if is_function:
        checks.check("it lists no crate that the function is built without", not {"cache-tools"} & {name for name, _ in named}, named)
sys.exit(checks.finish())
