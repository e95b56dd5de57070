//! The contents of a model's fingerprint, and so of every cache key: everything that can change an answer, but no prose.

use model_package::EntryContent;
use predict_once::{model::Model, model::Package};
use test_support::models;

use crate::packages::{self, identity, package};

/// A package in which every entry can be changed without breaking a rule.
const PACKAGE: &str = r#"
name = "small"
title = "Small"
description = "A small model."

[input]
name = "Thing"
description = "A thing."

[golden]
tolerance = 0.1

[[fields]]
name = "size"
type = "number"
description = "How large it is."
unit = "metres"
hint = "in metres"
example = 1
minimum = 0
maximum = 9
bands = [1, 2]

[[fields]]
name = "colour"
type = "string"
description = "How it is painted."
values = [{ name = "red", description = "as blood", aliases = ["crimson"], boolean = true }, "green"]
encoding = "one_hot"
unknown = "refuse"
required = false
missing = "nan"

[[fields]]
name = "weight"
type = "number"
required = false
missing = 1

[[predictions]]
name = "level"
endpoint = "levels"
schema = "Level"
summary = "How high it is"
description = "The level."
meaning = "How high."
kind = "bands"
output = 0
cuts = [0.5, 1.5]
values = ["low", { name = "high", description = "not low" }, 3]

[[predictions]]
name = "class"
endpoint = "classes"
kind = "class"
outputs = [1, 2]
values = ["a", "b"]

[[examples]]
name = "one"
summary = "One of them"
input = { size = 1, colour = "red", weight = 1 }
"#;

fn with(manifest: &str) -> Package {
    package(manifest, identity(4))
}

fn changed(from: &str, to: &str) -> Model {
    assert_eq!(PACKAGE.matches(from).count(), 1, "{from:?} is there once");
    packages::load(&with(&PACKAGE.replace(from, to)))
}

fn fingerprints(model: &Model) -> (String, String) {
    (model.fingerprint(EntryContent::Output).to_owned(), model.fingerprint(EntryContent::Answer).to_owned())
}

fn unchanged() -> (String, String) {
    fingerprints(&packages::load(&with(PACKAGE)))
}

#[test]
fn a_fingerprint_is_16_hexadecimal_digits_and_the_same_at_every_load() {
    let (run, whole) = unchanged();
    for fingerprint in [&run, &whole] {
        let hexadecimal = |digit: char| digit.is_ascii_digit() || ('a'..='f').contains(&digit);
        assert!(fingerprint.len() == 16 && fingerprint.chars().all(hexadecimal), "{fingerprint}");
    }
    assert_ne!(run, whole);
    assert_eq!(unchanged(), (run, whole));
}

/// The graph's input determines everything computed from it.
#[test]
fn a_change_of_the_graphs_input_changes_both_fingerprints() {
    let (run, whole) = unchanged();
    for (from, to) in [
        ("bands = [1, 2]", "bands = [1, 2.5]"),
        ("bands = [1, 2]", "bands = [1, 2, 3]"),
        ("bands = [1, 2]", ""),
        (
            "values = [{ name = \"red\", description = \"as blood\", aliases = [\"crimson\"], boolean = true }, \"green\"]",
            "values = [\"green\", { name = \"red\", description = \"as blood\", aliases = [\"crimson\"], boolean = true }]",
        ),
        ("\"green\"]", "\"blue\"]"),
        ("missing = \"nan\"", "missing = \"zeros\""),
        ("missing = \"nan\"", "missing = { value = \"red\" }"),
        ("missing = 1\n", "missing = 2\n"),
        ("required = false\nmissing = 1\n", ""),
    ] {
        let model = changed(from, to);
        assert!(
            model.fingerprint(EntryContent::Output) != run && model.fingerprint(EntryContent::Answer) != whole,
            "{from} → {to}"
        );
    }
    // Other columns, which also need another graph.
    let ordinal = PACKAGE.replace("encoding = \"one_hot\"\n", "");
    let ordinal = packages::load(&package(ordinal, identity(3)));
    assert!(ordinal.fingerprint(EntryContent::Output) != run && ordinal.fingerprint(EntryContent::Answer) != whole);
}

#[test]
fn another_graph_changes_both_fingerprints() {
    let (run, whole) = unchanged();
    let mut other = with(PACKAGE);
    // The graph's name changes no answer, but the fingerprint covers the file's bytes.
    let mut onnx = other.onnx.to_vec();
    let position = onnx.windows(5).position(|bytes| bytes == b"graph").expect("its name");
    onnx[position] = b'G';
    other.onnx = onnx.into();
    let model = packages::load(&other);
    assert!(model.fingerprint(EntryContent::Output) != run && model.fingerprint(EntryContent::Answer) != whole);
}

/// The graph's output stays the same, so its cached entries stay valid.
#[test]
fn a_change_of_the_answer_alone_changes_its_fingerprint_but_not_that_of_the_run() {
    let (run, whole) = unchanged();
    for (from, to) in [
        ("cuts = [0.5, 1.5]", "cuts = [0.5, 1.25]"),
        ("cuts = [0.5, 1.5]\nvalues = [\"low\", ", "cuts = [0.5]\nvalues = ["),
        ("values = [\"low\"", "values = [\"lowest\""),
        (", 3]", ", \"3\"]"),
        ("output = 0", "output = 1"),
        ("outputs = [1, 2]", "outputs = [2, 1]"),
        ("outputs = [1, 2]", "output = 1"),
        ("values = [\"a\", \"b\"]", "values = [\"b\", \"a\"]"),
        ("kind = \"class\"", "kind = \"probabilities\""),
        ("name = \"level\"", "name = \"height\""),
    ] {
        let model = changed(from, to);
        assert_eq!(model.fingerprint(EntryContent::Output), run, "{from} → {to}");
        assert_ne!(model.fingerprint(EntryContent::Answer), whole, "{from} → {to}");
    }
}

#[test]
fn changes_of_prose_names_bounds_and_examples_keep_both_fingerprints() {
    for (from, to) in [
        ("name = \"small\"", "name = \"smaller\""),
        ("title = \"Small\"", "title = \"Smaller\""),
        ("\"A small model.\"", "\"A smaller model.\""),
        ("name = \"Thing\"", "name = \"Object\""),
        ("\"A thing.\"", "\"An object.\""),
        ("tolerance = 0.1", "tolerance = 0.2"),
        // Changes which values are accepted, but not how they are encoded.
        ("unknown = \"refuse\"", "unknown = \"ignore\""),
        ("type = \"number\"\ndescription", "type = \"integer\"\ndescription"),
        ("\"How large it is.\"", "\"Its size.\""),
        ("\"metres\"", "\"m\""),
        ("\"in metres\"", "\"in m\""),
        ("example = 1", "example = 2"),
        ("minimum = 0", "exclusive_minimum = -1"),
        ("maximum = 9", "maximum = 99"),
        ("\"How it is painted.\"", "\"Its colour.\""),
        ("\"as blood\"", "\"as fire\""),
        ("[\"crimson\"]", "[\"crimson\", \"scarlet\"]"),
        ("boolean = true", "boolean = false"),
        ("endpoint = \"levels\"", "endpoint = \"heights\""),
        ("schema = \"Level\"", "schema = \"Height\""),
        ("\"How high it is\"", "\"Its height\""),
        ("\"The level.\"", "\"The height.\""),
        ("\"How high.\"", "\"Height.\""),
        ("\"not low\"", "\"above low\""),
        ("name = \"one\"\nsummary = \"One of them\"", "name = \"another\"\nsummary = \"Another of them\""),
        ("colour = \"red\",", "colour = \"green\","),
    ] {
        assert_eq!(fingerprints(&changed(from, to)), unchanged(), "{from} → {to}");
    }
    let renamed = PACKAGE.replace("name = \"size\"", "name = \"extent\"").replace("{ size = 1", "{ extent = 1");
    assert_eq!(fingerprints(&packages::load(&with(&renamed))), unchanged());
}

/// Cached entries outlive deployments. These fingerprints change only with `ENGINE_VERSION` in `src/model/mod.rs` or the version of the
/// tree operators, which must be raised when the same package yields another key or answer.
#[test]
fn the_fingerprints_of_a_package_are_the_same_as_in_deployed_versions() {
    assert_eq!(unchanged(), ("38d07c20d027603b".to_owned(), "bc13d73712a70520".to_owned()));
}

#[test]
fn the_shipped_package_has_one_fingerprint_in_the_binary_and_on_disk() {
    let on_disk = packages::load(&packages::read("models/credit_risk"));
    assert_eq!(fingerprints(&on_disk), fingerprints(&models::shipped()));
}
