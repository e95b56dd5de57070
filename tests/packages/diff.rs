//! `predict-once diff`: what changes for clients and the cache when a package replaces another.

use predict_once::model::{ManifestFile, Package};
use test_support::{
    dates::dates,
    onnx::{FLOAT, Onnx},
};

use crate::{
    command::{Ended, run},
    packages,
};

/// Compares the shipped package with a new one.
fn diff(name: &str, new: &Package) -> Ended {
    between(name, &packages::shipped(), new)
}

fn between(name: &str, old: &Package, new: &Package) -> Ended {
    let directories =
        [(old, "old"), (new, "new")].map(|(package, side)| packages::write(package, &format!("diff-{name}-{side}")));
    let [old, new] = directories.each_ref().map(|directory| directory.to_str().expect("UTF-8"));
    run(&["diff", old, new], &[])
}

#[test]
fn packages_that_differ_in_texts_and_wider_bounds_keep_clients_and_cache() {
    let same = diff("same", &packages::shipped());
    assert_eq!(same.code, Some(0));
    assert!(
        same.out.starts_with("clients          no change\ncache            kept: the fingerprint is "),
        "{}",
        same.out
    );
    let described = packages::changed(&packages::shipped(), "title = \"", "title = \"The best ");
    assert!(diff("texts", &described).out.starts_with("clients          no change\ncache            kept"));
    let wider = diff("wider", &packages::changed(&packages::shipped(), "maximum = 120", "maximum = 130"));
    assert_eq!(wider.code, Some(0));
    let expected = "                 field \"age_in_years\": maximum 120 → 130\ncache            kept";
    assert!(wider.out.starts_with(expected), "{}", wider.out);
}

#[test]
fn changes_that_break_clients_are_marked_and_fail_the_command() {
    for (name, from, to, line) in [
        ("bound", "minimum = 18", "minimum = 21", "field \"age_in_years\": minimum 18 → 21"),
        ("endpoint", "endpoint = \"decisions\"", "endpoint = \"verdicts\"", "POST /decisions is gone"),
        (
            "answer",
            "name = \"DECLINE\"",
            "name = \"REFUSE\"",
            "POST /decisions: decision.enum: without \"DECLINE\" with \"REFUSE\"",
        ),
        ("type", "type = \"integer\"", "type = \"number\"", "field \"age_in_years\": type \"integer\" → \"number\""),
    ] {
        let ended = diff(name, &packages::changed(&packages::shipped(), from, to));
        assert_eq!(ended.code, Some(1), "{name}: {}", ended.out);
        assert!(ended.out.contains(&format!("breaks clients:  {line}\n")), "{name}: {}", ended.out);
    }
}

#[test]
fn a_new_field_breaks_clients_only_if_it_is_required() {
    let package = |second: &str| {
        let fields =
            format!("[[fields]]\nname = \"first\"\ntype = \"number\"\n[[fields]]\n{second}\ntype = \"number\"\n");
        let prediction = "[[predictions]]\nname = \"value\"\nendpoint = \"values\"\nkind = \"value\"\noutput = 0\n";
        packages::package(format!("name = \"two\"\n{fields}{prediction}"), packages::identity(2))
    };
    let [old, required] = ["name = \"old\"", "name = \"new\""].map(package);
    let optional = package("name = \"new\"\nrequired = false\nmissing = \"nan\"");
    for (name, new, added) in [
        ("required", required, "breaks clients:  field \"new\" is new and required"),
        ("optional", optional, "                 field \"new\" is new and optional"),
    ] {
        let ended = between(name, &old, &new);
        assert_eq!(ended.code, Some(1), "{name}: {}", ended.out);
        let expected = format!("breaks clients:  field \"old\" is gone\n{added}\n");
        assert!(ended.out.starts_with(&expected), "{name}: {}", ended.out);
    }
}

#[test]
fn limits_of_arrays_break_clients_only_if_they_are_narrower() {
    let package = |lines: &str| {
        let field = format!("[[fields]]\nname = \"x\"\ntype = \"array\"\nshape = [\"n\"]\n{lines}\n");
        let prediction = "[[predictions]]\nname = \"y\"\nendpoint = \"y\"\nkind = \"tensor\"\n";
        let graph = Onnx::empty().with_input("x", FLOAT, &["N", "n"]).node("Identity", &["x"], "y", &[]);
        packages::package(format!("name = \"arrays\"\n{field}{prediction}"), graph.file("y", 1))
    };
    let narrow = package("max_items = 10\nminimum = 0");
    for (name, wide, line) in [
        ("items", package("max_items = 100\nminimum = 0"), "max_items 100 → 10"),
        ("minimum", package("max_items = 10\nminimum = -5"), "items.minimum -5 → 0"),
    ] {
        let ended = between(&format!("wider-{name}"), &narrow, &wide);
        assert_eq!(ended.code, Some(0), "{}", ended.out);
        let ended = between(&format!("narrower-{name}"), &wide, &narrow);
        assert_eq!(ended.code, Some(1), "{}", ended.out);
        assert!(ended.out.starts_with("breaks clients:  field \"x\": ") && ended.out.contains(line), "{}", ended.out);
    }
}

#[test]
fn bounds_of_dates_break_clients_only_if_they_are_narrower() {
    let wide = dates();
    for (name, from, to) in [
        ("minimum", "minimum = \"1900-03-01\"", "minimum = \"2000-01-01\""),
        ("maximum", "maximum = \"2099-12-31\"", "maximum = \"2027-01-01\""),
        ("new", "name = \"paid\"\ntype = \"date\"", "name = \"paid\"\ntype = \"date\"\nminimum = \"2020-01-01\""),
    ] {
        let narrow = packages::changed(&wide, from, to);
        let ended = between(&format!("dates-wider-{name}"), &narrow, &wide);
        assert_eq!(ended.code, Some(0), "{}", ended.out);
        let ended = between(&format!("dates-narrower-{name}"), &wide, &narrow);
        assert_eq!(ended.code, Some(1), "{}", ended.out);
        assert!(ended.out.contains("\ncache            kept"), "{}", ended.out);
    }
    let time = packages::changed(&wide, "name = \"paid\"\ntype = \"date\"", "name = \"paid\"\ntype = \"datetime\"");
    let ended = between("dates-time", &wide, &time);
    assert!(ended.out.contains("breaks clients:  field \"paid\": format \"date\" → \"date-time\""), "{}", ended.out);
    assert!(ended.out.contains("\ncache            starts empty"), "{}", ended.out);
}

#[test]
fn explanations_that_are_gone_break_clients() {
    let old = packages::shipped();
    let with_endpoint = packages::changed(&old, "schema = \"Reasons\"", "schema = \"Reasons\"\nendpoint = \"reasons\"");
    let manifest = old.manifest.toml();
    let (begin, end) = (
        manifest.find("[[predictions]]\nname = \"reasons\"").expect("it has them"),
        manifest.find("[[examples]]").expect("it has examples"),
    );
    let mut without = old.clone();
    without.manifest = ManifestFile::Written(format!("{}{}", &manifest[..begin], &manifest[end..]));
    let ended = between("endpoint-gone", &with_endpoint, &old);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("breaks clients:  POST /reasons is gone\n"), "{}", ended.out);
    let ended = between("explanations-gone", &old, &without);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("breaks clients:  explanations (`?explain`) are gone\n"), "{}", ended.out);
    assert_eq!(between("explanations-new", &without, &old).code, Some(0));
}

#[test]
fn a_change_of_an_answer_empties_the_cache_and_a_new_graph_every_layout() {
    let answer = diff("answers", &packages::changed(&packages::shipped(), "name = \"DECLINE\"", "name = \"REFUSE\""));
    assert!(answer.out.contains("cache            starts empty, except in the layout `output`: the fingerprint was "));
    let other = diff("other", &packages::every_kind());
    assert!(other.out.contains("cache            starts empty: the fingerprint was "), "{}", other.out);
    assert_eq!(other.code, Some(1));
}

#[test]
fn a_missing_or_third_package_is_a_mistake_in_the_command_line() {
    for arguments in [&["diff"][..], &["diff", "one"], &["diff", "one", "two", "three"]] {
        assert_eq!(run(arguments, &[]).code, Some(2), "{arguments:?}");
    }
    assert_eq!(run(&["diff", "/nowhere", "/nowhere"], &[]).code, Some(1));
}
