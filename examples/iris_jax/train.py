"""Trains a small neural network in JAX and exports it with jax2onnx: `python train.py`, in an environment of requirements.txt.

It writes model.onnx and golden.jsonl. model.toml is written by hand: this is the way to serve a graph that
`predict_once.export` does not know, from whichever framework it comes.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import optax
from flax import nnx
from jax2onnx import to_onnx
from sklearn.datasets import load_iris

HERE = Path(__file__).resolve().parent
FIELDS = ("sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm")
SPECIES = ("setosa", "versicolor", "virginica")


class Network(nnx.Module):
    """Standardises its input, then one hidden layer; the output is a probability for each species."""

    def __init__(self, mean: np.ndarray, scale: np.ndarray) -> None:
        rngs = nnx.Rngs(0)
        self.mean, self.scale = nnx.Variable(jnp.asarray(mean)), nnx.Variable(jnp.asarray(scale))
        self.hidden, self.output = nnx.Linear(4, 16, rngs=rngs), nnx.Linear(16, 3, rngs=rngs)

    def logits(self, x: jax.Array) -> jax.Array:
        return self.output(nnx.relu(self.hidden((x - self.mean[...]) / self.scale[...])))

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.softmax(self.logits(x))


def fit(x: np.ndarray, y: np.ndarray) -> Network:
    network = Network(x.mean(axis=0), x.std(axis=0))
    optimizer = nnx.Optimizer(network, optax.adam(0.01), wrt=nnx.Param)

    def loss(network: Network) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(network.logits(x), y).mean()

    @nnx.jit
    def step(network: Network, optimizer: nnx.Optimizer) -> None:
        optimizer.update(network, nnx.grad(loss)(network))

    for _ in range(500):
        step(network, optimizer)
    return network


def main() -> None:
    flowers = load_iris()
    x, y = flowers.data.astype(np.float32), flowers.target
    network = fit(x, y)

    model = to_onnx(network, inputs=[("N", 4)], model_name="iris")
    onnx.save(model, HERE / "model.onnx")

    # Inputs between the flowers' smallest and largest, drawn: golden rows are no training records.
    rows = np.random.default_rng(0).uniform(x.min(axis=0), x.max(axis=0), size=(200, 4)).round(1)
    with (HERE / "golden.jsonl").open("w") as file:
        for row, probabilities in zip(rows, np.asarray(network(jnp.asarray(rows, dtype=jnp.float32)))):
            answers = {
                "species": SPECIES[int(probabilities.argmax())],
                "species_probabilities": {name: float(p) for name, p in zip(SPECIES, probabilities)},
            }
            file.write(json.dumps({"input": dict(zip(FIELDS, row.tolist())), "answers": answers}) + "\n")


if __name__ == "__main__":
    main()
