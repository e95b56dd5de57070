//! What Hugging Face's `tokenizers` and scikit-learn make of hostile texts, this crate makes of them too. `tests/regenerate texts`
//! writes the fixtures.

use serde::Deserialize;
use serde_json::value::RawValue;
use text_input::{Encoding, Options, Tokenizer, Vectorizer};

#[derive(Deserialize)]
struct Tokenized<'a> {
    #[serde(borrow)]
    tokenizer: &'a RawValue,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    plain: (Vec<u32>, Vec<u32>, Vec<u32>),
    /// Where it differs.
    special: Option<(Vec<u32>, Vec<u32>, Vec<u32>)>,
}

fn check(fixture: &str) {
    let Tokenized { tokenizer, cases } = serde_json::from_str(fixture).expect("a fixture");
    let read = |special_tokens| {
        let options = Options { special_tokens, ..Options::default() };
        Tokenizer::new(tokenizer.get().as_bytes(), options).expect("a supported tokenizer")
    };
    let (plain, special) = (read(false), read(true));
    assert!(cases.len() >= 80);
    assert!(cases.iter().any(|case| case.special.is_some()), "no case has a special token");
    for case in cases {
        let expected = case.special.as_ref().unwrap_or(&case.plain);
        for (tokenizer, (ids, mask, type_ids)) in [(&plain, &case.plain), (&special, expected)] {
            let mut encoding = tokenizer.encode(&case.text);
            tokenizer.pad(&mut encoding, None);
            let expected = Encoding { ids: ids.clone(), mask: mask.clone(), type_ids: type_ids.clone() };
            assert_eq!(encoding, expected, "{:?}", case.text);
        }
    }
}

#[test]
fn word_piece_gives_the_ids_of_hugging_face() {
    check(include_str!("fixtures/bert.json"));
    check(include_str!("fixtures/bert_cased.json"));
    check(include_str!("fixtures/words.json"));
    check(include_str!("fixtures/spaces.json"));
}

#[test]
fn whole_words_give_the_ids_of_hugging_face() {
    check(include_str!("fixtures/word_level.json"));
}

#[test]
fn byte_level_pairs_give_the_ids_of_hugging_face() {
    check(include_str!("fixtures/roberta.json"));
    check(include_str!("fixtures/bpe.json"));
}

#[derive(Deserialize)]
struct Vectorized<'a> {
    texts: Vec<String>,
    #[serde(borrow)]
    vectorizers: Vec<VectorizerCase<'a>>,
}

#[derive(Deserialize)]
struct VectorizerCase<'a> {
    name: String,
    #[serde(borrow)]
    file: &'a RawValue,
    rows: Vec<Vec<(u32, f64)>>,
}

#[test]
fn vectorizers_give_the_columns_of_scikit_learn() {
    let Vectorized { texts, vectorizers } =
        serde_json::from_str(include_str!("fixtures/vectorizers.json")).expect("a fixture");
    assert!(vectorizers.len() > 20);
    for VectorizerCase { name, file, rows } in vectorizers {
        let vectorizer = Vectorizer::new(file.get().as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(rows.iter().filter(|row| !row.is_empty()).count() >= 10, "{name}: few rows have values");
        for (text, expected) in texts.iter().zip(rows) {
            let row = vectorizer.transform(text);
            let columns = |row: &[(u32, f64)]| row.iter().map(|(column, _)| *column).collect::<Vec<_>>();
            assert_eq!(columns(&row), columns(&expected), "{name}: {text:?}");
            for ((_, value), (_, expected)) in row.iter().zip(&expected) {
                // NumPy's logarithm differs from the C library's in the last place on some processors.
                let tolerance = if name.contains("logarithmic") { 1e-15 } else { 0.0 };
                assert!((value - expected).abs() <= tolerance, "{name}: {text:?}: {value} is not {expected}");
            }
        }
    }
}

#[test]
fn the_columns_of_several_vectorizers_lie_side_by_side() {
    let Vectorized { texts, vectorizers } =
        serde_json::from_str(include_str!("fixtures/vectorizers.json")).expect("a fixture");
    let files: Vec<_> = vectorizers.iter().map(|case| case.file.get()).collect();
    let union = Vectorizer::new(format!(r#"{{"union": [{}]}}"#, files.join(", ")).as_bytes()).expect("supported");
    let alone: Vec<_> = files.iter().map(|file| Vectorizer::new(file.as_bytes()).expect("supported")).collect();
    assert_eq!(union.width(), alone.iter().map(Vectorizer::width).sum::<usize>());
    for text in &texts {
        let mut expected = Vec::new();
        let mut first = 0;
        for vectorizer in &alone {
            expected.extend(vectorizer.transform(text).into_iter().map(|(column, value)| (first + column, value)));
            first += vectorizer.width() as u32;
        }
        assert_eq!(union.transform(text), expected, "{text:?}");
    }
}
