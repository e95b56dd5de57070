//! What would have to be ignored is refused by name.

use serde_json::{Value, json};
use text_input::{Options, Tokenizer, Vectorizer};

fn bert() -> Value {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/bert.json")).expect("a fixture");
    fixture["tokenizer"].clone()
}

fn refusal(tokenizer: &Value, options: Options) -> String {
    match Tokenizer::new(tokenizer.to_string().as_bytes(), options) {
        Ok(_) => panic!("accepted"),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn a_tokenizer_with_a_part_that_is_not_supported_is_refused_by_the_name_of_the_part() {
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false });
    let bpe = json!({ "type": "BPE", "vocab": { "a": 0 }, "merges": [] });
    for (part, value, expected) in [
        ("model", json!({ "type": "Unigram", "unk_id": 0, "vocab": [["a", -1.0]] }), "`model` is Unigram"),
        ("model", bpe, "`model` has BPE without the ByteLevel pre_tokenizer"),
        ("model", json!({ "type": "WordPiece", "unk_token": "[UNK]", "vocab": { "a": 0 } }), "unknown token \"[UNK]\""),
        ("normalizer", json!({ "type": "Precompiled", "precompiled_charsmap": "" }), "`normalizer` is Precompiled"),
        ("pre_tokenizer", json!({ "type": "Metaspace", "replacement": "▁" }), "`pre_tokenizer` is Metaspace"),
        ("pre_tokenizer", byte_level, "`pre_tokenizer` has use_regex = false"),
        ("pre_tokenizer", Value::Null, "`pre_tokenizer` is absent"),
        ("post_processor", json!({ "type": "Other" }), "`post_processor` is Other"),
        ("post_processor", json!({ "type": "BertProcessing" }), "`post_processor` has an unsupported form"),
    ] {
        let mut tokenizer = bert();
        tokenizer[part] = value;
        let refusal = refusal(&tokenizer, Options::default());
        assert!(refusal.contains(expected), "{refusal} instead of {expected}");
    }
    assert!(refusal(&json!([]), Options::default()).contains("is not a tokenizer.json"));
}

#[test]
fn a_limit_that_leaves_no_token_of_the_text_is_refused() {
    let refusal = refusal(&bert(), Options { max_tokens: Some(2), ..Options::default() });
    assert_eq!(refusal, "2 tokens surround each text, so that none is left of 2");
    let tokenizer =
        Tokenizer::new(bert().to_string().as_bytes(), Options { max_tokens: Some(3), ..Options::default() });
    assert_eq!(tokenizer.expect("supported").encode("the the the").ids.len(), 3);
}

#[test]
fn no_more_of_a_text_is_read_than_the_model_keeps() {
    let tokenizer = Tokenizer::new(bert().to_string().as_bytes(), Options::default()).expect("supported");
    let short = "the quick fox ".repeat(1_000);
    let long = "the quick fox ".repeat(1_000_000);
    let start = std::time::Instant::now();
    let expected = tokenizer.encode(&short);
    let once = start.elapsed();
    let start = std::time::Instant::now();
    assert_eq!(tokenizer.encode(&long), expected);
    // The whole text takes a thousand times as long.
    assert!(start.elapsed() < once * 50, "{:?} instead of {once:?}", start.elapsed());
}

fn vectorizer(change: impl FnOnce(&mut Value)) -> Result<Vectorizer, String> {
    let mut file = json!({ "analyzer": {}, "vocabulary": ["fox", "quick"], "idf": [1.0, 2.0], "norm": "l2" });
    change(&mut file);
    Vectorizer::new(file.to_string().as_bytes()).map_err(|refusal| refusal.to_string())
}

#[test]
fn a_vectorizer_with_a_parameter_that_is_not_supported_is_refused_by_name() {
    assert!(vectorizer(|_| {}).is_ok());
    for (pattern, construct) in [
        (r"(?i)\w+", "a group other than (?:…), or a flag"),
        (r"(\w)(\w+)", "a group other than (?:…), or a flag"),
        (r"\w+(?=x)", "a group other than (?:…), or a flag"),
        (r"\w+?", "a lazy quantifier"),
        (r"\w++", "a possessive quantifier"),
        (r"\w*", "a match of no characters"),
        (r"^\w+", "an anchor"),
        (r"\w+\Z", r"\Z"),
        (r"\p{L}+", r"\p"),
        (r"(?:\b)+x", "a quantifier of what may match no characters"),
        (r"\w{3,2}", "an unusual { }"),
        (r"\w{100000}", "more repetitions than supported"),
        (r"[z-a]", "an unusual range"),
        (r"[ab", "an unbalanced ["),
        (r"(?:ab", "an unbalanced ("),
        (r"ab)", "an unbalanced )"),
        (r"+a", "a quantifier without an item"),
    ] {
        let refusal = vectorizer(|file| file["analyzer"]["token_pattern"] = pattern.into()).map(drop);
        let expected = format!("`token_pattern` {pattern:?} has {construct}, which is not supported");
        assert_eq!(refusal, Err(expected));
    }
    for (key, value, expected) in [
        ("idf", json!([1.0]), "`idf` has 1 numbers for the 2 terms of `vocabulary`"),
        ("vocabulary", json!(["fox", "fox"]), "`vocabulary` must have 1 to 16777216 distinct terms"),
        ("union", json!([]), "`union` must have 1 or more vectorizers, with at most 16777216 columns together"),
        ("analyzer", json!({ "ngram_range": [2, 1] }), "`ngram_range` must be 1 to 20, not 2 to 1"),
        ("analyzer", json!({ "preprocessor": "f" }), "unknown field `preprocessor`"),
        ("dtype", json!("int64"), "unknown variant `int64`"),
    ] {
        let refusal = vectorizer(|file| file[key] = value).map(drop).expect_err(key);
        assert!(refusal.contains(expected), "{refusal} instead of {expected}");
    }
    let logarithm = vectorizer(|file| {
        file["dtype"] = "float32".into();
        file["sublinear_tf"] = true.into();
    });
    assert_eq!(
        logarithm.map(drop),
        Err("`sublinear_tf` with float32 is not supported: fit with dtype=float64".to_owned())
    );
}

#[test]
fn a_pattern_takes_linear_time_on_a_text_that_makes_others_take_exponential_time() {
    let catastrophic =
        vectorizer(|file| file["analyzer"]["token_pattern"] = r"(?:\w+\w+)+!".into()).expect("supported");
    assert_eq!(catastrophic.transform(&"a".repeat(20_000)), []);
}
