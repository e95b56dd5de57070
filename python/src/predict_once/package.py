"""Writes the files of a package, all of them or none."""

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from . import toml
from .errors import ExportError
from .types import Example, Field, Golden, Prediction

FILES = ("model.onnx", "golden.jsonl", "model.toml")


@dataclass
class Package:
    """The contents of the files."""

    model: onnx.ModelProto
    name: str
    fields: Sequence[Field]
    predictions: Sequence[Prediction]
    examples: Sequence[Example] = ()
    golden: Sequence[Golden] = ()
    title: str | None = None
    description: str | None = None
    input: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-5
    max_other_class: float = 0.001
    comments: dict[str, list[str]] = field(default_factory=dict)  # of fields, by name
    files: dict[str, bytes] = field(default_factory=dict)  # that model.toml names

    def toml(self) -> str:
        top = {"name": self.name, "title": self.title, "description": self.description}
        tables: list[tuple[str, dict[str, Any], Sequence[str]]] = [("", {k: v for k, v in top.items() if v is not None}, ())]
        if self.input:
            tables.append(("[input]", self.input, ()))
        tables += [("[[fields]]", dict(entry), self.comments.get(entry["name"], ())) for entry in self.fields]
        tables += [("[[predictions]]", dict(entry), ()) for entry in self.predictions]
        tables += [("[[examples]]", dict(entry), ()) for entry in self.examples]
        golden = {"tolerance": self.tolerance, "max_other_class": self.max_other_class}
        tables.append(("[golden]", golden, ()))
        return toml.document(tables)

    def contents(self) -> dict[str, bytes]:
        """The bytes of each file, by name."""
        lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in self.golden]
        files = {"model.onnx": self.model.SerializeToString(deterministic=True), "model.toml": self.toml().encode()}
        return self.files | files | ({"golden.jsonl": "".join(lines).encode()} if lines else {})


def refuse_files(directory: Path) -> None:
    """Stops before anything is computed, if a file is where the directory, or one above it, should be."""
    for path in (directory, *directory.parents):
        if path.exists() and not path.is_dir():
            raise ExportError(f"{path} is not a directory. Pass another directory.")


def refuse_existing(directory: Path) -> None:
    """Stops before anything is computed, if the directory already holds a package."""
    present = [name for name in FILES if (directory / name).exists()]
    if present:
        raise ExportError(f"{directory} already holds {', '.join(present)}. Pass overwrite=True to replace the package.")


def write(package: Package, directory: Path, former: Collection[str] = ()) -> None:
    """Writes the files. All of them are complete before the first one gets its name. `former` are further files of the
    package that is replaced: those that the new one does not have are deleted.
    """
    contents = package.contents()
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
        if not directory.exists():
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o777 & ~umask)
            temporary.rename(directory)
            return
        # Other files of the directory, such as the training code, stay.
        for name in {*former, *package.files, *FILES}:
            if name in contents:
                os.replace(temporary / name, directory / name)
            else:
                (directory / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
