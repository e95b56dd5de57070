"""Writes tests/packages/topics: a small classifier of texts, which the documentation page is tested with.

tests/regenerate topics
"""

from pathlib import Path

import predict_once
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

TEXTS = {
    "sport": ["the match was won in the last minute", "the striker scores again", "the goalkeeper saves a penalty"],
    "politics": ["parliament votes on the budget", "a new law on taxes", "the minister resigns over a vote"],
}

texts = [text for group in TEXTS.values() for text in group]
topics = [topic for topic, group in TEXTS.items() for _ in group]
model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, topics)
directory = Path(__file__).resolve().parent / "topics"
predict_once.export(model, texts, directory, target="topic", kinds=["class"], title="The topic of a text", overwrite=True)
