"""Starts the service on a package, and sends requests to it as a client does."""

import http.client
import json
import math
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the libraries share two cores with the service
BINARY = os.environ.get("PREDICT_ONCE_BIN", str(Path(__file__).resolve().parents[2] / "target/debug/predict-once"))


class Client:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, endpoint: str, row: dict[str, Any]) -> Any:
        """The prediction for a row, without its name."""
        return next(iter(self.answer(endpoint, row).values()))

    def answer(self, endpoint: str, row: dict[str, Any], status: int = 200) -> dict[str, Any]:
        """The whole answer to a row. A missing value is sent as null."""
        body = json.dumps({str(name): plain(value) for name, value in row.items()})
        self.connection.request("POST", f"/{endpoint}", body.encode(), {"content-type": "application/json"})
        response = self.connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        assert response.status == status, answer
        return answer


def plain(value: Any) -> Any:
    """A value of a data frame as a JSON type."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


@contextmanager
def serve(package: Path) -> Iterator[Client]:
    """The service of a package, on a free port."""
    env = {"MODEL_DIR": str(package), "PORT": "0", "MEMORY_CACHE_ENTRIES": "0"}
    with subprocess.Popen([BINARY], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            printed = []
            assert process.stdout is not None
            for line in process.stdout:
                printed.append(line)
                if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
                    yield Client(int(found[1]))
                    return
            pytest.fail(f"the service does not start: {''.join(printed)}")
        finally:
            process.kill()
