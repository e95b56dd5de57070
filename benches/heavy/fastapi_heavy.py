"""What one would write without the service: FastAPI, ONNX Runtime, tokenizers or Pillow, and redis.asyncio with the hiredis parser. The
model runs in a thread, so that hits do not wait for it; a hit is answered with the stored body.
"""

import base64
import hashlib
import io
import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
from fastapi import FastAPI, Response
from models import CHANNELS, MAX_TOKENS, STEPS
from PIL import Image
from pydantic import BaseModel
from redis.asyncio import Redis
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from tokenizers import Tokenizer

app = FastAPI()
cache = Redis.from_url(os.environ["REDIS_URL"])
folder = Path(os.environ["MODEL_DIR"])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
MEAN, DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
if (folder / "tokenizer.json").exists():
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)


class Text(BaseModel):
    text: str


class Picture(BaseModel):
    image: str


class Window(BaseModel):
    window: list[list[float]]


async def store(key, body):
    await cache.set(key, body)


async def cached(key, run, value):
    key = hashlib.sha256(key).digest()
    stored = await cache.get(key)
    if stored is not None:
        return Response(stored, media_type="application/json")
    body = json.dumps(await run_in_threadpool(run, value)).encode()
    return Response(body, media_type="application/json", background=BackgroundTask(store, key, body))


def embed(text):
    encoding = tokenizer.encode(text)
    names = ("input_ids", encoding.ids), ("attention_mask", encoding.attention_mask), ("token_type_ids", encoding.type_ids)
    [vectors] = session.run(None, {name: np.array([values]) for name, values in names})
    return {"embedding": vectors[0].tolist()}


def classify(image):
    picture = Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    pixels = (np.asarray(picture, np.float32) / 255 - MEAN) / DEVIATION
    [scores] = session.run(None, {"pixel_values": pixels.transpose(2, 0, 1)[np.newaxis]})
    best = np.argsort(-scores[0])[:5]
    return {"top": [{"class": f"class {position}", "score": float(scores[0][position])} for position in best]}


def assess(window):
    [probabilities] = session.run(None, {"window": np.float32(window).reshape(1, STEPS, CHANNELS)})
    return {"probability": float(probabilities[0, 0])}


@app.post("/embedding")
async def embedding(request: Text) -> Response:
    return await cached(request.text.encode(), embed, request.text)


@app.post("/top")
async def top(request: Picture) -> Response:
    return await cached(request.image.encode(), classify, request.image)


@app.post("/probability")
async def probability(request: Window) -> Response:
    return await cached(request.model_dump_json().encode(), assess, request.window)
