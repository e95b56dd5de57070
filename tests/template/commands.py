"""Checks the commands in the pages about running the service on AWS: make's targets and their variables, the parameters that they set,
what `aws` is told, by AWS's own description of its APIs (botocore's), and the subcommands of the binary. `run` starts it.

`make deploy`, `make rollback`, `make warm` and `make smoke-test` themselves run in deploy.py, stack.py, tests/aws and tests/smoke_test.
"""

import re
import shlex
import subprocess
import sys

import botocore.session
from botocore import xform_name
from cloudformation import ROOT, Refused, load, with_defaults

sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402

PAGES = ("aws", "runbook", "operations", "without-rust")
PROGRAMS = ("make", "aws", "predict-once", "sam")
# Options of every command of `aws`.
GLOBAL = {"--query", "--output", "--region", "--cli-binary-format"}
# What `aws` names otherwise than its API does.
RENAMED = {"--zip-file": "--content"}
# Scripts that read the variables of a target from the environment.
READS = {"deploy": "scripts/deploy"}

checks = Checks()


def commands(text):
    """Each command in a page's text and blocks, without its comment."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    for line in lines + spans:
        line = line.removeprefix("$ ")
        if line.split(" ")[0] in PROGRAMS and " " in line:
            words = shlex.split(line, comments=True)
            # Up to where the shell takes over.
            yield words[: next((at for at, word in enumerate(words) if word in ("|", "&&", ">", ";")), len(words))]


def mistake_of_make(words):
    targets = [word for word in words if "=" not in word and not word.startswith("-")]
    variables = dict(word.split("=", 1) for word in words if "=" in word)
    if len(targets) != 1:
        return f"{len(targets)} targets"
    done = subprocess.run(["make", "--dry-run", "--no-print-directory", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        return done.stderr
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(rf"^{targets[0]}:.*\n((?:\t.*\n|ifndef.*\n|ifeq.*\n|else\n|endif\n)*)", makefile, re.MULTILINE)[0]
    if script := READS.get(targets[0]):
        recipe += (ROOT / script).read_text()
    unknown = [name for name in variables if not re.search(rf"\b{name}\b", recipe)]
    return f"does not read {unknown}" if unknown else mistake_of_parameters(shlex.split(variables.get("PARAMETERS", "")))


def mistake_of_parameters(words):
    try:
        with_defaults(load(), dict(word.split("=", 1) for word in words))
    except (KeyError, Refused) as error:
        return str(error)
    return None


def mistake_of_aws(words):
    service, command, *rest = words
    model = botocore.session.get_session().get_service_model(service)
    operation = {xform_name(one, "-"): one for one in model.operation_names}.get(command)
    if operation is None:
        return f"{service} has no {command}"
    shape = model.operation_model(operation).input_shape
    known = {f"--{xform_name(one, '-')}" for one in shape.members} | GLOBAL
    given = {RENAMED.get(word, word) for word in rest if word.startswith("--")}
    missing = {f"--{xform_name(one, '-')}" for one in shape.required_members} - given
    # A mention of a command in a sentence has no options.
    return f"unknown {given - known}, missing {missing}" if given - known or (given and missing) else None


def mistake_of_binary(words):
    usage = (ROOT / "src/commands/mod.rs").read_text()
    text = " ".join(words[:2]) if words[0] == "cache" else words[0]
    known = re.search(rf"^  predict-once {re.escape(text)}\b", usage, re.MULTILINE)
    return None if known or words[0] in ("…", "--version") else f"no command {text}"


def mistake_of_sam(words):
    if words[0] not in ("build", "deploy", "validate"):
        return f"no command {words[0]}"
    given = [word for word in words[1:] if "=" in word] if "--parameter-overrides" in words else []
    return mistake_of_parameters(given)


def mistake(words):
    check = {"make": mistake_of_make, "aws": mistake_of_aws, "predict-once": mistake_of_binary, "sam": mistake_of_sam}
    return check[words[0]](words[1:])


def main():
    for page in PAGES:
        with checks.part(page):
            found = list(commands((ROOT / f"docs/{page}.md").read_text()))
            wrong = {" ".join(words): why for words in found if (why := mistake(words))}
            checks.check(f"docs/{page}.md: {len(found)} commands are right", found and not wrong, wrong)
    with checks.part("mistakes"):
        for line in (
            "make deploys", "make rollback STAK=a", "make deploy PARAMETERS='Cash=none'", "make deploy PARAMETERS='Cache=some'",
            "aws lambda invoke-functions --function-name a", "aws apigateway create-deployment --rest-api a", "sam deploy --parameter-overrides A=b",
            "aws apigateway create-deployment --stage-name live", "predict-once chek a", "predict-once cache warn a",
        ):  # fmt: skip
            checks.check(f"{line} is found", mistake(shlex.split(line)))
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
