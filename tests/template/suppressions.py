"""Runs checkov on the transformed templates in a directory. It must find nothing, and each check that template.yaml skips must be
one that checkov would otherwise report. `run` starts it.

usage: suppressions.py CHECKOV DIRECTORY
"""

import json
import subprocess
import sys
from pathlib import Path

from cloudformation import load, nested_in

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from checks import Checks  # noqa: E402


def main():
    checkov, directory = sys.argv[1:]
    checks = Checks()
    # --skip-download: otherwise checkov fetches links to its vendor's pages.
    command = [checkov, "--framework", "cloudformation", "--skip-download", "--output", "json", "--directory", directory]
    done = subprocess.run(command, capture_output=True, text=True)
    report = json.loads(done.stdout)
    for found in report["results"]["failed_checks"]:
        name, where = found["check_id"], f"{found['file_path']} {found['resource']}"
        checks.check(f"checkov: {name} {found['check_name']}", False, where)
    files = len(list(Path(directory).glob("*.yaml")))
    summary = report["summary"]
    checks.check(f"checkov: {summary['passed']} checks passed in {files} templates", summary["passed"] > 10 * files > 0, summary)

    used = {(found["resource"].split(".")[1], found["check_id"]) for found in report["results"]["skipped_checks"]}
    wanted = set()
    declared = [load(), *(load(one["Properties"]["TemplateURL"]) for one in nested_in(load()).values())]
    for name, resource in (entry for template in declared for entry in template["Resources"].items()):
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            wanted.add((name, skip["id"]))
            checks.check(f"{name} skips {skip['id']} for a reason", len(skip.get("comment", "")) > 20, skip)
    # `used` may contain more: SAM copies the function's metadata to its version and alias.
    checks.check("each skipped check would otherwise be reported", wanted <= used, wanted - used)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
