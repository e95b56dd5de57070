"""`serve`: a fitted model as an API on this machine, in one call."""

import html
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from .binary import find_binary
from .errors import ExportError
from .export import export

PATIENCE = 60.0
"""How long the service may take to start, in seconds."""

OURS = {
    "PORT": "Pass port=…",
    "MODEL_DIR": "Pass the model, or the directory of its package, as the first argument.",
    "MODEL_URI": "Pass the model, or the directory of its package, as the first argument.",
}
"""The settings that follow from other arguments, and what to pass instead."""


def serve(
    model: Any,
    X: Any = None,
    *,
    target: str = "prediction",
    port: int = 0,
    settings: Mapping[str, str] | None = None,
    **arguments: Any,
) -> "Server":
    """Serve a fitted model, or a package, on this machine until the result is closed.

        with predict_once.serve(model, X, target="species") as server:
            print(server)
            server.ask("/species", {"island": "Torgersen", …})

    In a notebook, the last line of a cell may be `predict_once.serve(model, X)`: it shows the page of the API
    and its first answer. The service ends with `server.close()`, with its `with` block, when the variable goes,
    or with Python.

      `model`         A fitted estimator; or the directory of a package, without `X` and `target`.
      `X`, `target`   As for `export`.
      `port`          The port on 127.0.0.1. Default: a free one.
      `settings`      Settings of the service, such as {"REDIS_URL": "redis://127.0.0.1"} (docs/settings.md),
                      except `PORT`, `MODEL_DIR` and `MODEL_URI`, which follow from the other arguments.
      `arguments`     Further arguments of `export`.

    Raises `ExportError` as `export` does, for a setting that follows from another argument, and if the
    service's binary is missing or does not start.
    """
    for setting, instead in OURS.items():
        if setting in (settings or {}):
            raise ExportError(f"settings: {setting} is not one of them here. {instead}")
    binary = find_binary()
    if X is None and not arguments and isinstance(model, (str, Path)) and Path(model).is_dir():
        return Server(binary, Path(model), port, settings or {})
    folder = tempfile.TemporaryDirectory(prefix="predict-once-")
    package = Path(folder.name) / "package"
    export(model, X, package, target=target, **arguments)
    return Server(binary, package, port, settings or {}, folder)


class Server:
    """A running service. `url` is its address, and `page` its documentation."""

    def __init__(
        self,
        binary: str,
        package: Path,
        port: int,
        settings: Mapping[str, str],
        folder: "tempfile.TemporaryDirectory[str] | None" = None,
    ) -> None:
        self._folder = folder or tempfile.TemporaryDirectory(prefix="predict-once-")
        self._log = Path(self._folder.name) / "service.log"
        ours = {"MODEL_DIR": str(package.resolve()), "PORT": str(port)}
        environment = os.environ | {"LOG_LEVEL": "info"} | dict(settings) | ours
        with self._log.open("w") as log:
            self._process = subprocess.Popen([binary], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            self.url = self._address()
            self._first = self._ask_first()
        except BaseException:
            self.close()
            raise
        self.page = f"{self.url}/docs"

    @property
    def log(self) -> str:
        """What the service has logged so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def ask(self, path: str, body: Any) -> Any:
        """The answer to `POST path` with an input, or with a list of inputs; or the description of the problem."""
        data = json.dumps(body, allow_nan=False).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def close(self) -> None:
        """Ends the service."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_process"):
            self.close()

    def __str__(self) -> str:
        lines = [f"Serving {self.page}"]
        if self._first:
            path, body, answer = self._first
            lines += ["", f"  POST {path} {json.dumps(body, ensure_ascii=False)}", f"  {json.dumps(answer, ensure_ascii=False)}"]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        shown = f'<p>Serving <a href="{self.page}" target="_blank">{self.page}</a></p>'
        if self._first:
            path, body, answer = self._first
            texts = [html.escape(json.dumps(part, ensure_ascii=False, indent=2)) for part in (body, answer)]
            shown += f"<pre>POST {html.escape(path)}\n{texts[0]}\n\n{texts[1]}</pre>"
        return shown

    def _address(self) -> str:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := re.search(r"listening on (http://\S+?)[\s\x1b]", self.log):
                return found[1]
            if self._process.poll() is not None:
                raise ExportError(f"the service did not start: {self.log.strip() or 'it printed nothing.'}")
            time.sleep(0.02)
        raise ExportError(f"the service did not start within {PATIENCE:.0f} seconds: {self.log.strip()}")

    def _ask_first(self) -> tuple[str, Any, Any] | None:
        """The path, the body and the answer of the first example in the service's description of itself."""
        with urllib.request.urlopen(f"{self.url}/openapi.json", timeout=PATIENCE) as response:
            paths = json.load(response)["paths"]
        for path, operations in paths.items():
            examples = (
                operations.get("post", {})
                .get("requestBody", {})
                .get("content", {})
                .get("application/json", {})
                .get("examples", {})
            )
            for example in examples.values():
                return path, example["value"], self.ask(path, example["value"])
        return None
