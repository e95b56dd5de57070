"""Executes docs/without-rust.md in an empty folder with this machine's release files, without Rust. Instead of on AWS, the function runs
under AWS's runtime interface emulator. `run` starts it.

usage: without_rust.py DIST EMULATOR: the folder with the release files, and the emulator
"""

import base64
import contextlib
import http.client
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / f"tests/{folder}") for folder in ("support", "emulators", "template")]
from checks import Checks  # noqa: E402
from cloudformation import transformed  # noqa: E402
from gateway import gateway  # noqa: E402
from page import Page  # noqa: E402
from processes import free_port, until  # noqa: E402
from samcli.yamlhelper import yaml_parse  # noqa: E402
from sandbox import root_of, sandbox  # noqa: E402

ARCH = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
# The newest glibc that a function may require: that of provided.al2023.
GLIBC = (2, 34)

checks = Checks()


class Answer:
    """The HTTP response in the function's answer."""

    def __init__(self, answer):
        self.status, self.headers, self.body = answer["statusCode"], answer["headers"], answer.get("body") or ""
        if answer.get("isBase64Encoded"):
            self.body = base64.b64decode(self.body).decode()


class WithoutRust(Page):
    """The page, on a machine of this architecture."""

    def __init__(self, emulator, **rest):
        super().__init__(checks, "docs/without-rust.md", **rest)
        self.emulator = emulator

    def do_runs(self, _, text):
        super().do_runs(_, text.replace("arm64", ARCH))

    def do_deploys(self, names, text):
        """Recreates the environment that Lambda would have after this deployment, from the named zips."""
        function, *layers = names.split()
        words = shlex.split(text.replace("arm64", ARCH))
        parameters = dict(word.split("=", 1) for word in words[words.index("--parameter-overrides") + 1 :])
        resources = yaml_parse((self.folder / "template.yaml").read_text())["Resources"].values()
        properties = [resource["Properties"] for resource in resources]
        [code] = [one["CodeUri"] for one in properties if "CodeUri" in one]
        stacks = [one["TemplateURL"] for one in properties if "TemplateURL" in one]
        missing = [stack for stack in stacks if not (self.folder / stack).is_file()]
        checks.equal("the nested templates exist", missing, [])
        created, _ = transformed(parameters)
        [properties] = [one["Properties"] for one in created["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
        checks.equal("the release's template deploys the zip that the page creates", code, function)
        checks.equal("for this architecture", properties["Architectures"], [ARCH])
        checks.equal("with its layers", len(properties.get("Layers", [])), len(layers))

        root = Path(tempfile.mkdtemp(dir=self.folder.parent))
        root.chmod(0o755)
        unpacked = root / "var/task"
        unzip(self.folder / function, unpacked)
        # This machine's libc replaces Lambda's.
        root_of(unpacked / properties["Handler"], root)
        (root / "predict-once").unlink()
        for layer in layers:
            unzip(self.folder / layer, root / "opt")
        shutil.copy(self.emulator, root / "emulator")
        (root / "emulator").chmod(0o755)
        variables = {name: str(value) for name, value in properties["Environment"]["Variables"].items()}
        invoke = self.stack.enter_context(function_of(root, properties["Handler"], variables))
        sample = json.loads((ROOT / "events/http-api.json").read_text())
        self.address = self.stack.enter_context(gateway(invoke, sample, Answer))

    def do_invokes(self, _, text):
        address = re.search(r"https://….execute-api.[\w-]+.amazonaws.com", text)[0]
        super().do_runs(_, text.replace(address, self.address))


def unzip(archive, folder):
    """Unpacks with the archive's file modes, as Lambda does."""
    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.infolist():
            path = Path(zipped.extract(entry, folder))
            if not entry.is_dir():
                path.chmod(entry.external_attr >> 16 & 0o777)


@contextlib.contextmanager
def function_of(root, handler, variables):
    """Runs the function in `root` under the emulator; yields a function that sends it an event."""
    port, api_port = free_port(), free_port()
    command = ["/emulator", "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{api_port}", f"/var/task/{handler}"]

    def invoke(event):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "statusCode" not in answer:
            raise ValueError(f"not an HTTP answer: {answer}")
        return answer

    env = {"AWS_LAMBDA_FUNCTION_NAME": "predict-once"} | variables
    with sandbox(root, command, writable=["/tmp"], env=env) as (child, _, _):
        event = json.loads((ROOT / "events/http-api-openapi.json").read_text())
        until(lambda: invoke(event)["statusCode"] == 200, "the function serves", of=child)
        yield invoke


def without_rust():
    """A PATH without cargo and rustc."""
    tools = ("cargo", "rustc")
    folders = os.environ["PATH"].split(":")
    path = ":".join(folder for folder in folders if not any(Path(folder, tool).exists() for tool in tools))
    checks.equal("Rust is not on PATH", [shutil.which(tool, path=path) for tool in tools], [None, None])
    return path


def prove_libc(zip_file):
    with tempfile.TemporaryDirectory() as folder:
        unzip(zip_file, Path(folder))
        command = ["readelf", "--version-info", Path(folder, "bootstrap")]
        symbols = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    newest = max(tuple(map(int, version)) for version in re.findall(r"GLIBC_(\d+)\.(\d+)", symbols))
    checks.check(f"the function requires glibc {newest[0]}.{newest[1]}, which Lambda has", newest <= GLIBC)


def main():
    dist, emulator = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name, "page")
        Path(name).chmod(0o755)
        shutil.copytree(dist, folder)
        program = folder / ".venv/bin/predict-once"
        with checks.part("the function's zip"):
            [zip_file] = folder.glob(f"*-lambda-{ARCH}.zip")
            prove_libc(zip_file)
        with checks.part("the page runs"):
            WithoutRust(emulator, folder=folder, program=str(program), path=without_rust(), stack=stack).perform()
    sys.exit(checks.finish())


if __name__ == "__main__":
    main()
