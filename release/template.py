"""Prints template.yaml for a prebuilt function: SAM deploys function.zip beside the template without building."""

import re
import sys
from pathlib import Path

BUILD = r"""      # cargo-lambda compiles .*
      BuildMethod: rust-cargolambda
      BuildProperties:
        Binary: predict-once
"""


def once(pattern, replacement, text):
    text, found = re.subn(pattern, replacement, text)
    if found != 1:
        sys.exit(f"template.yaml matches {found} times instead of once: {pattern}")
    return text


template = (Path(__file__).resolve().parents[1] / "template.yaml").read_text()
template = once(BUILD, "", template)
print(once(r"      CodeUri: \.\n", "      CodeUri: function.zip\n", template), end="")
