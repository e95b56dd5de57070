"""`python -m predict_once …` runs the service's binary with these arguments: `python -m predict_once check models/penguins`."""

import os
import sys

from .binary import find_binary
from .errors import ExportError

try:
    binary = find_binary()
except ExportError as error:
    sys.exit(f"Error: {error}")
if os.name == "posix":
    os.execv(binary, [binary, *sys.argv[1:]])
sys.exit(f"Error: {sys.platform} is not supported: the service runs on Linux and macOS.")
