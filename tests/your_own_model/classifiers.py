"""Exports classifiers of scikit-learn with the guide's own train.py: `classifiers.py FOLDER`, train.py being on PYTHONPATH.

For each that skl2onnx can export, FOLDER gets NAME.onnx and NAME.csv: the encoded penguins, each with scikit-learn's
probabilities. classifiers.rs runs them. A name with `scaled ` in front has a StandardScaler before it.
"""

import sys
from pathlib import Path

import numpy as np
from palmerpenguins import load_penguins
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from train import SPECIES, encode, to_onnx

PLAIN = [
    DecisionTreeClassifier(random_state=0),
    RandomForestClassifier(random_state=0),
    ExtraTreesClassifier(random_state=0),
    GradientBoostingClassifier(random_state=0),
    HistGradientBoostingClassifier(random_state=0),
    AdaBoostClassifier(random_state=0),
    BaggingClassifier(random_state=0),
    VotingClassifier(
        [("tree", DecisionTreeClassifier(random_state=0)), ("bayes", GaussianNB())], voting="soft", flatten_transform=False
    ),
    GaussianNB(),
    LinearDiscriminantAnalysis(),
    LogisticRegression(max_iter=10_000),
    KNeighborsClassifier(),
]
SCALED = [
    LogisticRegression(),
    KNeighborsClassifier(),
    MLPClassifier(max_iter=2000, random_state=0),
    SVC(probability=True, random_state=0),
]

folder = Path(sys.argv[1])
penguins = load_penguins().dropna()
inputs = encode(penguins)
labels = np.array([SPECIES.index(species) for species in penguins["species"]])
classifiers = [(type(plain).__name__, plain) for plain in PLAIN]
classifiers += [(f"scaled {type(scaled).__name__}", make_pipeline(StandardScaler(), scaled)) for scaled in SCALED]
for name, classifier in classifiers:
    classifier.fit(inputs, labels)
    try:
        exported = to_onnx(classifier)
    except Exception as error:  # skl2onnx has many.
        print(f"{name}: {type(error).__name__}: {str(error)[:100]!r}")
        continue
    (folder / f"{name}.onnx").write_bytes(exported.SerializeToString())
    np.savetxt(folder / f"{name}.csv", np.hstack([inputs, classifier.predict_proba(inputs)]), "%.10f", ",")
