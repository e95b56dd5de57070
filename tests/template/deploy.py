"""`make deploy` without AWS: checks how it calls SAM, whose own parser reads the parameters. `run` starts it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cloudformation import ROOT, load
from samcli.cli.types import CfnParameterOverridesType

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from checks import Checks  # noqa: E402

# Records its arguments and creates SAM's build folder.
FAKE_SAM = f"""#!{sys.executable}
import json, os, pathlib, sys
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "build":
    pathlib.Path(".aws-sam/build/PredictOnce").mkdir(parents=True, exist_ok=True)
sys.exit(int(os.environ.get("STATUS", "0")) if sys.argv[1] == os.environ.get("FAILS") else 0)
"""

checks = Checks()


# In place of the Python that SAM runs with: prints the parameters of the stack. tests/template/stack.py has the real one.
FAKE_PYTHON = f"""#!{sys.executable}
import os, sys
assert sys.argv[1].endswith("scripts/stack") and sys.argv[2] == "parameters", sys.argv
print(os.environ.get("STACKS", "{{}}") if sys.argv[3] == "predict-once" else "{{}}")
"""


class Deployment:
    """Runs scripts/deploy in its own folder, with this samconfig.toml. `deployed`: the parameters of the stack."""

    def __init__(self, folder, config, *arguments, deployed=None, **variables):
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        (self.folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/deploy", self.folder / "scripts")
        (self.folder / "samconfig.toml").write_text(config)
        (self.folder / "other.toml").write_text(config.replace("serverless", "none").replace('"predict-once"', '"other"'))
        sam, calls = self.folder / "sam", self.folder / "calls"
        for path, text in ((sam, FAKE_SAM), (self.folder / "python", FAKE_PYTHON)):
            path.write_text(text)
            path.chmod(0o755)
        calls.touch()
        environment = {"PATH": os.environ["PATH"], "SAM": str(sam), "CALLS": str(calls)} | variables
        environment["STACKS"] = json.dumps(deployed or {})
        command = [sys.executable, self.folder / "scripts/deploy", *arguments]
        self.done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.calls = [json.loads(line) for line in calls.read_text().splitlines()]

    @property
    def parameters(self):
        """The parameters of both commands as SAM parses them, which must be equal."""
        read = []
        for call in self.calls:
            words = call[call.index("--parameter-overrides") + 1 :]
            words = [word for word in words if "=" in word]
            read.append(CfnParameterOverridesType().convert(words, None, None))
        checks.check("sam build and sam deploy get the same parameters", all(one == read[0] for one in read), read)
        return read[0]


def main():
    committed = (ROOT / "samconfig.toml").read_text()
    section = "[default.deploy.parameters]\n"
    overrides = r'"JwtIssuer=\"\" Cache=\"nodes\" Release=\"old\" CorsAllowedOrigins=\"https://a.example,https://b.example\""'
    saved = committed.replace(section, f"{section}parameter_overrides = {overrides}\n")
    with tempfile.TemporaryDirectory() as folder:
        first = Deployment(folder, committed)
        checks.equal("the first time: build, then deploy", [call[0] for call in first.calls], ["build", "deploy"])
        asked = {"--no-confirm-changeset", "--no-fail-on-empty-changeset"} <= set(first.calls[1]) and "--guided" not in first.calls[1]
        checks.check("the first time, too, nothing is asked", asked, first.calls)
        guided = Deployment(folder, committed, GUIDED="yes")
        checks.check("GUIDED=yes asks", "--guided" in guided.calls[1] and "--no-confirm-changeset" not in guided.calls[1], guided.calls)
        built = Deployment(folder, committed, BUILD="no")
        checks.equal("BUILD=no: only deploys", [call[0] for call in built.calls], ["deploy"])
        pattern = load()["Parameters"]["Release"]["AllowedPattern"]
        checks.check("the template accepts the release", re.fullmatch(pattern, first.parameters["Release"]), first.parameters)

        again = Deployment(folder, saved, "--no-progressbar", PARAMETERS="Tracing=true Cache=serverless")
        read = again.parameters
        checks.check("later: not guided", "--guided" not in again.calls[1], again.calls)
        checks.check("arguments are passed to sam deploy", "--no-progressbar" in again.calls[1], again.calls)
        checks.check("a new release", read.pop("Release") not in ("old", "1"), again.calls)
        wanted = {"JwtIssuer": "", "Cache": "serverless", "Tracing": "true"}
        wanted |= {"CorsAllowedOrigins": "https://a.example,https://b.example", "OldCacheLayout": "none", "OldCacheNamespace": ""}
        checks.equal("PARAMETERS override the saved ones", read, wanted)
        checks.check("only parameters that the template has", read.keys() <= load()["Parameters"].keys(), read)

        other = Deployment(folder, saved, CONFIG="other.toml")
        given = other.calls[1][other.calls[1].index("--config-file") + 1]
        checks.equal("CONFIG: SAM gets the file", given, str(other.folder / "other.toml"))
        unknown = Deployment(folder, saved, CONFIG="missing.toml")
        told = unknown.done.returncode == 1 and unknown.done.stderr.count("\n") == 1 and not unknown.calls
        checks.check("CONFIG: a missing file is one line", told, unknown.done)

        deployed = {"Cache": "nodes", "CacheLayout": "string", "CacheNamespace": "a"}
        for promise, changes, old in (
            ("no change", "", ("none", "")),
            ("another layout", "CacheLayout=hash", ("string", "")),
            ("another namespace", "CacheNamespace=b", ("none", "a")),
            ("another cache", "CacheLayout=hash Cache=serverless", ("none", "")),
        ):
            read = Deployment(folder, committed, deployed=deployed, PARAMETERS=changes).parameters
            checks.equal(f"rights that the running version needs, {promise}", (read["OldCacheLayout"], read["OldCacheNamespace"]), old)

        package = Deployment(folder, saved, MODEL=str(ROOT / "tests/packages/penguins"))
        checks.equal("MODEL: sets ModelDir", package.parameters.get("ModelDir"), "/var/task/model")
        zipped = sorted(path.name for path in (package.folder / ".aws-sam/build/PredictOnce/model").iterdir())
        checks.equal("MODEL: the package's files are beside the binary", zipped, ["model.onnx", "model.toml"])

        for promise, variables, arguments in (
            ("not a model package", {"MODEL": str(ROOT / "docs")}, []),
            ("not NAME=VALUE", {"PARAMETERS": "Cache"}, []),
        ):
            wrong = Deployment(folder, saved, *arguments, **variables)
            stopped = wrong.done.returncode == 1 and not wrong.calls
            checks.check(f"{promise}: exit status 1, nothing built", stopped, wrong.done)
            checks.equal(f"{promise}: one line", wrong.done.stderr.count("\n"), 1)
        failed = Deployment(folder, saved, FAILS="build", STATUS="3")
        checks.equal("a failed build is not deployed", ([call[0] for call in failed.calls], failed.done.returncode), (["build"], 3))
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
