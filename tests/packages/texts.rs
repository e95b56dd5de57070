//! Fields of `type = "text"`: token ids of a tokenizer, and columns of a vectorizer.

use std::collections::HashSet;

use model_package::{EntryContent, Input, Tensor};
use predict_once::model::{Model, Package};
use serde_json::{Value, json};
use test_support::onnx::{DOUBLE, FLOAT, INT64, Onnx};

use crate::packages::{self, package};

/// A tokenizer, and the ids that Hugging Face's library makes of texts with it.
fn bert() -> (Value, Vec<Value>) {
    let mut fixture: Value =
        serde_json::from_str(include_str!("../../crates/text-input/tests/fixtures/bert.json")).expect("JSON");
    let Value::Array(cases) = fixture["cases"].take() else { panic!("no cases") };
    (fixture["tokenizer"].take(), cases)
}

/// A model whose only field is a text of these lines, and whose only prediction is its output.
fn manifest(lines: &str) -> String {
    format!(
        "name = 'texts'\n[[fields]]\nname = 'text'\ntype = 'text'\n{lines}\n\
         [[predictions]]\nname = 'seen'\nendpoint = 'seen'\nkind = 'vector'\n"
    )
}

const TOKENIZER: &str = "tokenizer = 'tokenizer.json'";

fn with_file(lines: &str, onnx: Vec<u8>, name: &str, file: &Value) -> Package {
    let mut package = package(manifest(lines), onnx);
    package.files.insert(name.to_owned(), file.to_string().into_bytes().into());
    package
}

/// A graph that answers the ids of the tokens of a text, plus 1,000 for the mask and 10,000 for each type.
fn seen(ids: &str, mask: &str, types: &str, length: &str) -> Vec<u8> {
    [ids, mask, types]
        .iter()
        .fold(Onnx::empty(), |graph, input| graph.with_input(input, INT64, &["N", length]))
        .integers("thousand", &[1, 1], &[1_000])
        .integers("ten_thousand", &[1, 1], &[10_000])
        .node("Mul", &[mask, "thousand"], "masked", &[])
        .node("Mul", &[types, "ten_thousand"], "typed", &[])
        .node("Add", &[ids, "masked"], "some", &[])
        .node("Add", &["some", "typed"], "all", &[])
        .node("Cast", &["all"], "y", &[("to", FLOAT)])
        .file("y", 4)
}

fn tokens() -> Package {
    with_file(TOKENIZER, seen("input_ids", "attention_mask", "token_type_ids", "length"), "tokenizer.json", &bert().0)
}

fn read(model: &Model, text: &str) -> Input {
    let body = json!({ "text": text }).to_string();
    model.signature().read(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn answer(model: &Model, text: &str) -> Vec<f64> {
    let answer = model.predict(0, &read(model, text)).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    serde_json::from_value(serde_json::from_slice::<Value>(&answer.body).expect("JSON")["seen"].take())
        .expect("numbers")
}

/// What the graph answers of the ids, the mask and the types of a case.
fn expected(case: &Value) -> Vec<f64> {
    let part = |part: usize| case[part].as_array().expect("an array").iter().map(|x| x.as_f64().expect("a number"));
    part(0).zip(part(1)).zip(part(2)).map(|((id, mask), types)| id + 1e3 * mask + 1e4 * types).collect()
}

#[test]
fn a_text_becomes_the_ids_mask_and_types_of_hugging_face_alone_and_in_an_array() {
    let model = packages::load(&tokens());
    let (_, cases) = bert();
    let texts: Vec<_> = cases.iter().map(|case| case["text"].as_str().expect("a text")).collect();
    let inputs: Vec<_> = texts.iter().map(|text| read(&model, text)).collect();
    let together = model.run_many(&inputs.iter().collect::<Vec<_>>()).expect("it runs");
    assert!(texts.len() >= 80);
    for ((text, case), output) in texts.iter().zip(&cases).zip(together) {
        let expected = expected(&case["plain"]);
        assert_eq!(answer(&model, text), expected, "{text:?}");
        assert_eq!(output.columns(0), expected, "{text:?}");
    }
}

#[test]
fn special_tokens_in_a_text_are_text_unless_the_package_says_otherwise() {
    let special = packages::changed(&tokens(), TOKENIZER, &format!("{TOKENIZER}\nspecial_tokens = true"));
    let (plain, special) = (packages::load(&tokens()), packages::load(&special));
    let text = "fox [SEP] fox";
    let (plain, special) = (answer(&plain, text), answer(&special, text));
    assert!(special.len() < plain.len(), "{special:?}, {plain:?}");
    assert!(special[1..special.len() - 1].contains(special.last().expect("a token")), "{special:?}");
}

#[test]
fn texts_that_the_model_cannot_tell_apart_share_a_key_and_others_do_not() {
    let lines = format!("{TOKENIZER}\nmax_tokens = 6");
    let model = packages::load(&packages::changed(&tokens(), TOKENIZER, &lines));
    let key = |text: &str| read(&model, text).to_string();
    assert_eq!(answer(&model, "the quick fox jumped the quick fox").len(), 6);
    assert_eq!(key("the quick fox the quick fox"), key("  The QUICK fox\tthe quick fox and more"));
    let others = ["", "the", "the the", "fox", "the fox", "fox the", "tHe fox fox"];
    let keys: HashSet<_> = others.iter().map(|text| key(text)).collect();
    assert_eq!(keys.len(), others.len(), "{keys:?}");
    // Of 128 bits.
    assert!(keys.iter().all(|key| key.len() == 32), "{keys:?}");
    let decoded = model.signature().decode(&key("the")).expect("a key of this model");
    assert_eq!(decoded[0].value, json!({ "digest": key("the") }));
}

#[test]
fn the_fingerprint_covers_the_tokenizer_and_its_options_and_nothing_else() {
    let fingerprint = |lines: &str, tokenizer: &Value| {
        let graph = seen("input_ids", "attention_mask", "token_type_ids", "length");
        packages::load(&with_file(lines, graph, "tokenizer.json", tokenizer))
            .fingerprint(EntryContent::Output)
            .to_owned()
    };
    let (tokenizer, _) = bert();
    let of = |options: &str| fingerprint(&format!("{TOKENIZER}\n{options}"), &tokenizer);
    assert_eq!(of("max_length = 10"), of("description = 'A text.'"));
    let mut other = tokenizer.clone();
    other["truncation"]["max_length"] = json!(20);
    let all = [of(""), of("max_tokens = 9"), of("special_tokens = true"), fingerprint(TOKENIZER, &other)];
    assert_eq!(HashSet::from(all.clone()).len(), all.len(), "{all:?}");
}

#[test]
fn inputs_of_other_names_are_fed_as_the_package_says() {
    let lines = format!("{TOKENIZER}\ninputs = {{ types = 'c', ids = 'a', mask = 'b' }}");
    let model = packages::load(&with_file(&lines, seen("a", "b", "c", "length"), "tokenizer.json", &bert().0));
    let usual = packages::load(&tokens());
    assert_eq!(answer(&model, "the fox"), answer(&usual, "the fox"));
    // A graph with one input, whatever its name.
    let graph =
        Onnx::empty().with_input("words", INT64, &["N", "length"]).node("Cast", &["words"], "y", &[("to", FLOAT)]);
    let model = packages::load(&with_file(TOKENIZER, graph.file("y", 4), "tokenizer.json", &bert().0));
    let ids: Vec<_> = answer(&usual, "the fox").iter().map(|number| number - 1e3).collect();
    assert_eq!(answer(&model, "the fox"), ids);
}

#[test]
fn a_graph_that_reads_a_fixed_number_of_tokens_gets_so_many() {
    let (mut tokenizer, _) = bert();
    let graph = || seen("input_ids", "attention_mask", "token_type_ids", "8");
    let found = packages::mistakes(&with_file(TOKENIZER, graph(), "tokenizer.json", &tokenizer));
    assert!(found[0].contains("has no `padding`, but the graph reads exactly 8 tokens"), "{found:?}");
    tokenizer["padding"] = json!({
        "strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": null, "pad_id": 7, "pad_type_id": 0, "pad_token": "x"
    });
    let model = packages::load(&with_file(TOKENIZER, graph(), "tokenizer.json", &tokenizer));
    let short = answer(&model, "the");
    assert_eq!((short.len(), &short[short.len() - 3..]), (8, &[7.0; 3][..]));
    assert_eq!(answer(&model, &"the ".repeat(20))[7], short[short.iter().rposition(|x| *x > 1e3).expect("a token")]);
    assert_eq!(model.signature().feed(&[&read(&model, "the")]).expect("one").len(), 3);
}

/// A vectorizer of three words.
fn words() -> Value {
    json!({ "analyzer": {}, "vocabulary": ["fox", "quick", "the"], "idf": [2.0, 3.0, 1.0], "norm": null })
}

const VECTORIZER: &str = "vectorizer = 'words.json'";

#[test]
fn a_vectorizers_columns_stand_beside_those_of_other_fields() {
    let manifest = format!(
        "{}[[fields]]\nname = 'age'\ntype = 'number'\n",
        manifest(VECTORIZER).replace("[[predictions]]", "[[fields]]\nname = 'old'\ntype = 'boolean'\n[[predictions]]")
    );
    for precision in [model_package::Precision::Float32, model_package::Precision::Float64] {
        let graph = Onnx::of(precision, 5).node("Identity", &["x"], "y", &[]).file("y", 5);
        let mut package = package(manifest.clone(), graph);
        package.files.insert("words.json".to_owned(), words().to_string().into_bytes().into());
        let model = packages::load(&package);
        let row = |text: &str| {
            let body = json!({ "text": text, "old": true, "age": 30.5 }).to_string();
            let input = model.signature().read(body.as_bytes()).expect("an input");
            (model.run(&input).expect("it runs").columns(0), input.to_string())
        };
        let (columns, key) = row("The quick, the QUICK fox!");
        assert_eq!(columns, [2.0, 6.0, 2.0, 1.0, 30.5]);
        assert_eq!(key.split(',').skip(1).collect::<Vec<_>>(), ["1", "30.5"]);
        assert_eq!(row("QUICK the quick the fox and others").1, key);
        assert_eq!(row("nothing").0, [0.0, 0.0, 0.0, 1.0, 30.5]);
        assert_ne!(row("nothing").1, key);
        assert_eq!(model.signature().columns()[..3], ["text[0]", "text[1]", "text[2]"]);
        assert_eq!(model.runs_together(8), Ok(()));
    }
}

#[test]
fn a_graph_can_read_only_the_columns_of_a_text_that_are_not_zero() {
    // The values times the weights of their columns, summed.
    let graph = Onnx::of(model_package::Precision::Float64, 0)
        .with_input("at", INT64, &["N", "columns"])
        .with_input("value", DOUBLE, &["N", "columns"])
        .constant("weights", &[3], &[100.0, 10.0, 1.0])
        .node("Gather", &["weights", "at"], "weight", &[("axis", 0)])
        .node("Mul", &["weight", "value"], "product", &[])
        .integers("axes", &[1], &[1])
        .node("ReduceSum", &["product", "axes"], "y", &[("keepdims", 1)])
        .file("y", 1);
    let lines = format!("{VECTORIZER}\ninputs = {{ columns = 'at', values = 'value' }}");
    let model = packages::load(&with_file(&lines, graph, "words.json", &words()));
    assert_eq!(answer(&model, "the quick fox the fox fox"), [632.0]);
    assert_eq!(answer(&model, ""), [0.0]);
    let inputs = ["the", "the fox", "quick", "fox"].map(|text| read(&model, text));
    let sums = model.run_many(&inputs.iter().collect::<Vec<_>>()).expect("it runs");
    assert_eq!(sums.iter().map(|sum| sum.columns(0)[0]).collect::<Vec<_>>(), [1.0, 201.0, 30.0, 200.0]);
    let fed = model.signature().feed(&[&inputs[1]]).expect("one");
    assert_eq!(fed.iter().map(Tensor::shape).collect::<Vec<_>>(), [[1, 2], [1, 2]]);
}

#[test]
fn a_text_that_cannot_be_served_is_refused_with_the_entry_and_the_remedy() {
    let graph = || seen("input_ids", "attention_mask", "token_type_ids", "length");
    let (tokenizer, _) = bert();
    let unigram =
        json!({ "model": { "type": "Unigram", "vocab": [] }, "pre_tokenizer": { "type": "WhitespaceSplit" } });
    let in_tokens = |lines: &str, file: &Value| packages::mistakes(&with_file(lines, graph(), "tokenizer.json", file));
    for (lines, file, part) in [
        ("", &tokenizer, "needs `tokenizer = \"tokenizer.json\"` or `vectorizer`"),
        ("tokenizer = 'other.json'", &tokenizer, "`tokenizer` names \"other.json\", which is missing from the package"),
        ("tokenizer = '../tokenizer.json'", &tokenizer, "name a file in the package's directory"),
        (
            TOKENIZER,
            &unigram,
            "`tokenizer` \"tokenizer.json\" `model` is Unigram, which is not supported: supported are",
        ),
        (TOKENIZER, &json!(1), "`tokenizer` \"tokenizer.json\" is not a tokenizer.json"),
        (
            "tokenizer = 'tokenizer.json'\nmax_tokens = 2",
            &tokenizer,
            "2 tokens surround each text, so that none is left of 2",
        ),
        ("tokenizer = 'tokenizer.json'\nmax_length = 0", &tokenizer, "`max_length` must be 1 to 1000000 characters"),
        ("tokenizer = 'tokenizer.json'\nrequired = false", &tokenizer, "`required` applies only to"),
        ("tokenizer = 'tokenizer.json'\nminimum = 0", &tokenizer, "`minimum` applies only to"),
        (
            "tokenizer = 'tokenizer.json'\ninputs = { ids = 'ids' }",
            &tokenizer,
            "`inputs` has \"ids\", but the inputs of the graph are",
        ),
        ("vectorizer = 'tokenizer.json'", &tokenizer, "`vectorizer` \"tokenizer.json\" is not a vectorizer's file"),
        (
            "vectorizer = 'tokenizer.json'\nmax_tokens = 9",
            &words(),
            "`max_tokens` applies only to texts with a `tokenizer`",
        ),
    ] {
        let found = in_tokens(lines, file);
        assert!(found[0].starts_with("model.toml: field \"text\": "), "{found:?}");
        assert!(found.iter().any(|mistake| mistake.contains(part)), "{found:?} does not say {part:?}");
    }
    // A graph that reads something else.
    let floats = Onnx::empty().with_input("input_ids", FLOAT, &["N", "length"]).node("Neg", &["input_ids"], "y", &[]);
    let found = packages::mistakes(&with_file(TOKENIZER, floats.file("y", 1), "tokenizer.json", &tokenizer));
    assert!(
        found[0].contains("feeds the input \"input_ids\" with whole numbers, but the graph declares FP32"),
        "{found:?}"
    );
    let cube = Onnx::empty().with_input("input_ids", INT64, &["N", "length", "3"]);
    let cube = cube.node("Cast", &["input_ids"], "y", &[("to", FLOAT)]).file("y", 1);
    let found = packages::mistakes(&with_file(TOKENIZER, cube, "tokenizer.json", &tokenizer));
    assert!(found[0].contains("one row of tokens, but the graph declares 3 dimensions"), "{found:?}");
}

#[test]
fn a_package_in_a_directory_is_read_with_its_files() {
    let directory = packages::write(&tokens(), "texts");
    let read_back = Package::read(&directory).expect("a package");
    assert_eq!(
        packages::load(&read_back).fingerprint(EntryContent::Answer),
        packages::load(&tokens()).fingerprint(EntryContent::Answer)
    );
    std::fs::remove_file(directory.join("tokenizer.json")).expect("removed");
    let without = Package::read(&directory).expect("a package");
    let found = packages::mistakes(&without);
    assert_eq!(
        found,
        [
            "model.toml: field \"text\": `tokenizer` names \"tokenizer.json\", which is missing from the package: add the file"
        ]
    );
}
