"""Trains the credit risk model: `python train.py [--output DIR]`, or `make model` at the top of the repository.

    german_credit.csv ─► compare the candidates ─► choose ─► fit on all data ─► model.onnx, golden.jsonl
                                │                                              model.toml ◄─ api.toml
                                └── out-of-fold predictions ─► thresholds ───► MODEL_CARD.md

The same data and the pinned requirements give the same files, byte for byte. The modules:

* credit_data.py: the fields, and the model's input
* evaluation.py: the candidates, their cross-validation, and the choice
* thresholds.py: the decision threshold and the risk categories
* export.py: the final weights, the ONNX graph, and the model package; api.toml holds the texts of its API
* model_card.py: the figures of MODEL_CARD.md; its text is in MODEL_CARD.template.md
"""

import argparse
from pathlib import Path

import model_card
from credit_data import encode, read_data
from evaluation import CANDIDATES, EXPORTABLE, choose, evaluate_all
from export import assert_unambiguous, final_model, to_onnx, write_package
from thresholds import RISK_CATEGORY_CUT_POINTS, assert_risk_rises, bands

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the credit risk model.")
    parser.add_argument("--output", type=Path, default=HERE, metavar="DIR", help="where the files go (default: here)")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    applications, went_bad = read_data(HERE / "german_credit.csv")
    inputs = encode(applications)

    evaluations = evaluate_all(inputs, went_bad)
    print(model_card.comparison_table(evaluations))
    chosen = choose(evaluations)
    print(f"\nchosen: {chosen}")
    if chosen != EXPORTABLE:
        raise SystemExit(f"nothing was written: only '{EXPORTABLE}' can be exported as Gemm and Sigmoid")
    out_of_fold = evaluations[chosen].out_of_fold
    assert_risk_rises(bands(RISK_CATEGORY_CUT_POINTS, out_of_fold, went_bad))

    model = final_model(CANDIDATES[chosen], inputs, went_bad)
    exported = to_onnx(model, inputs)
    difference = assert_unambiguous(model, exported)
    print(f"scikit-learn and onnxruntime differ by at most {difference:.1e} on every possible input")

    write_package(output, HERE / "api.toml", model, exported)
    card = model_card.render(HERE / "MODEL_CARD.template.md", evaluations, chosen, model, applications, went_bad)
    (output / "MODEL_CARD.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
