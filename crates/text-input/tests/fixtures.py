"""Writes the fixtures of this crate's tests: small tokenizers and vectorizers, and what Hugging Face's `tokenizers` and scikit-learn
make of hostile texts with them. `tests/regenerate texts` runs it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from hostile import texts
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

FIXTURES = Path(__file__).parent / "fixtures"
CORPUS = texts(600, seed=7)
CASES = texts(80, seed=11, longest=120)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def word_piece(splitter: Any, normalizer: Any, **options: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    tokenizer.pre_tokenizer, tokenizer.normalizer = splitter, normalizer
    trainer = trainers.WordPieceTrainer(vocab_size=450, special_tokens=SPECIAL, limit_alphabet=180, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_tokens(options.get("added", []))
    tokenizer.enable_truncation(48)
    return tokenizer


def word_level() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer, tokenizer.normalizer = pre_tokenizers.Whitespace(), normalizers.Lowercase()
    tokenizer.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.enable_padding(length=40, direction="left", pad_id=0, pad_type_id=1)
    return tokenizer


def bpe(prefix: bool, normalizer: Any, ignore_merges: bool, added: list[AddedToken]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=450, special_tokens=["<s>", "<pad>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    tokenizer.add_tokens(added)
    if prefix:
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
        tokenizer.enable_truncation(64)
        tokenizer.enable_padding(pad_id=1, pad_token="<pad>", pad_to_multiple_of=8)
    else:
        around = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(), around])
        tokenizer.enable_truncation(32, direction="left")
    return tokenizer


def tokenizer_cases(tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """The texts, and what the tokenizer makes of them where special tokens in the text are text, and where they are not."""
    cases = []
    for text in CASES:
        case: dict[str, Any] = {"text": text}
        for name, plain in (("plain", True), ("special", False)):
            tokenizer.encode_special_tokens = plain
            encoding = tokenizer.encode(text)
            case[name] = [encoding.ids, encoding.attention_mask, encoding.type_ids]
        if case["special"] == case["plain"]:
            del case["special"]
        cases.append(case)
    return cases


def vectorizer_file(vectorizer: Any) -> dict[str, Any]:
    """The file that `predict_once.export` writes, by hand."""
    words = vectorizer.analyzer == "word"
    analyzer = {name: getattr(vectorizer, name) for name in ("analyzer", "token_pattern", "lowercase", "strip_accents")}
    analyzer |= {"ngram_range": list(vectorizer.ngram_range), "stop_words": sorted(vectorizer.get_stop_words() or []) if words else []}
    file: dict[str, Any] = {"analyzer": analyzer, "binary": vectorizer.binary}
    if np.dtype(vectorizer.dtype) == np.float32:
        file["dtype"] = "float32"
    if isinstance(vectorizer, HashingVectorizer):
        return file | {name: getattr(vectorizer, name) for name in ("n_features", "alternate_sign", "norm")}
    file["vocabulary"] = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.get)
    if isinstance(vectorizer, TfidfVectorizer):
        file |= {"norm": vectorizer.norm, "sublinear_tf": vectorizer.sublinear_tf}
        file["idf"] = [float(number) for number in vectorizer.idf_] if vectorizer.use_idf else None
    return file


VECTORIZERS = {
    "default tfidf": TfidfVectorizer(max_features=90),
    "two words, logarithmic": TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, smooth_idf=False, max_features=90),
    "stop words, without accents": TfidfVectorizer(stop_words="english", strip_accents="unicode", max_features=90),
    "ascii, l1": TfidfVectorizer(strip_accents="ascii", norm="l1", lowercase=False, max_features=90),
    "binary, no idf": TfidfVectorizer(use_idf=False, norm=None, binary=True, max_features=90),
    "float32": TfidfVectorizer(dtype=np.float32, max_features=90),
    "characters": CountVectorizer(analyzer="char", ngram_range=(1, 3), max_features=90),
    "characters in words": CountVectorizer(analyzer="char_wb", ngram_range=(2, 7), max_features=90),
    "pairs and triples": CountVectorizer(ngram_range=(2, 3), binary=True, max_features=90),
    **{
        f"pattern {pattern}": CountVectorizer(token_pattern=pattern, max_features=60)
        for pattern in (
            r"\S+",
            r"\b[a-zA-Z]{3,}\b",
            r"\w+|\$[\d\.]+|\S+",
            r"(\w+)",
            r"(?u)\b\w+(?:[-']\w+)*\b",
            r"[^\s,.!?]+",
            r"(?u)\b\w+\b",
            r"\b\w{2,4}\B\w?|\d+(?:\.\d{1,2})?|[@#]\w+",
        )
    },
    "hashes": HashingVectorizer(),
    "few hashes, l1": HashingVectorizer(n_features=100, norm="l1"),
    "hashes that cancel": HashingVectorizer(n_features=16, binary=True, norm=None),
    "hashes without signs": HashingVectorizer(n_features=1000, alternate_sign=False, ngram_range=(1, 2), dtype=np.float32),
}


def main() -> None:
    bert = pre_tokenizers.BertPreTokenizer()
    sequence = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()])
    added = [AddedToken("Fox jumped", normalized=True), AddedToken("  ", normalized=False), AddedToken("naïve", rstrip=True)]
    tokenizers = {
        "bert": word_piece(bert, normalizers.BertNormalizer()),
        "bert_cased": word_piece(bert, normalizers.BertNormalizer(lowercase=False, clean_text=False, handle_chinese_chars=False)),
        "words": word_piece(pre_tokenizers.Whitespace(), sequence, added=[AddedToken("jumped"), AddedToken("FÉ")]),
        "spaces": word_piece(pre_tokenizers.WhitespaceSplit(), normalizers.NFKD()),
        "word_level": word_level(),
        "roberta": bpe(True, None, False, []),
        "bpe": bpe(False, normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]), True, added),
    }
    for name, tokenizer in tokenizers.items():
        cases = tokenizer_cases(tokenizer)
        tokenizer.encode_special_tokens = False
        content = {"tokenizer": json.loads(tokenizer.to_str()), "cases": cases}
        write(f"{name}.json", content)
    documents = [text for text in CORPUS if text]
    content = []
    for name, vectorizer in VECTORIZERS.items():
        if not isinstance(vectorizer, HashingVectorizer):
            vectorizer.fit(documents)
        rows = vectorizer.transform(CASES[:40])
        columns = [[[int(c), float(v)] for c, v in zip(row.indices, row.data, strict=True)] for row in rows]
        content.append({"name": name, "file": vectorizer_file(vectorizer), "rows": columns})
    write("vectorizers.json", {"texts": CASES[:40], "vectorizers": content})


def write(name: str, content: Any) -> None:
    (FIXTURES / name).write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
