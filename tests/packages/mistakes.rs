//! Every rule of `docs/model-package.md`: a package that breaks one is refused with a line that names the file, the entry and the
//! rule.

use predict_once::{model::Model, model::Package, model::PackageError};
use serde_json::json;
use test_support::onnx::Onnx;

use crate::packages::{self, identity, package};

/// A package with two columns, whose graph returns its input.
const SMALL: &str = r#"
name = "small"

[[fields]]
name = "size"
type = "number"

[[fields]]
name = "colour"
type = "string"
values = ["red", "green"]

[[predictions]]
name = "score"
endpoint = "scores"
kind = "value"
output = 0

[[examples]]
name = "one"
input = { size = 1, colour = "red" }
"#;

/// The text to replace, its replacement, the entry that the mistake names, and a part of the message.
type Case<'a> = (&'a str, &'a str, &'a str, &'a str);

fn small() -> Package {
    package(SMALL, identity(2))
}

/// A manifest with one text replaced.
fn changed(manifest: &str, from: &str, to: &str) -> String {
    assert_eq!(manifest.matches(from).count(), 1, "{from:?} is there once");
    manifest.replace(from, to)
}

fn refused(manifest: String, entry: &str, part: &str) {
    let found = packages::mistakes(&package(manifest.clone(), identity(2)));
    let [mistake] = &found[..] else { panic!("{found:?}: {manifest}") };
    let named = format!("model.toml: {entry}: ");
    assert!(mistake.starts_with(&named), "{mistake:?} does not name {named:?}: {manifest}");
    assert!(mistake.contains(part), "{mistake:?} does not say {part:?}: {manifest}");
    assert!(!mistake.contains('\n'), "{mistake:?}");
}

/// Asserts that each case, applied to the small package, is refused.
fn each_is_refused(cases: &[Case<'_>]) {
    for (from, to, entry, part) in cases {
        refused(changed(SMALL, from, to), entry, part);
    }
}

/// The small manifest with `lines` instead of the first field's type.
fn size(lines: &str) -> String {
    changed(SMALL, "type = \"number\"", lines)
}

/// The small manifest with `lines` instead of the second field's type and values.
fn colour(lines: &str) -> String {
    changed(SMALL, "type = \"string\"\nvalues = [\"red\", \"green\"]", lines)
}

/// The small manifest with `lines` instead of the prediction's kind and column.
fn prediction(lines: &str) -> String {
    changed(SMALL, "kind = \"value\"\noutput = 0", lines)
}

#[test]
fn the_package_without_a_mistake_is_valid() {
    let model = packages::load(&small());
    let input = model.signature().read(br#"{"size": 1.5, "colour": "green"}"#).expect("valid");
    assert_eq!(model.predict(0, &input).expect("an answer").body, r#"{"score":1.5}"#);
}

#[test]
fn invalid_toml_or_an_unknown_structure_is_refused_with_its_line() {
    each_is_refused(&[
        ("name = \"small\"", "name = small", "line 2", ""),
        ("name = \"small\"", "name = 1", "line 2", "string"),
        ("name = \"small\"", "", "line 1", "missing field `name`"),
        ("name = \"small\"", "name = \"small\"\nversion = 1", "line 3", "unknown field `version`"),
        ("type = \"number\"", "type = \"number\"\nminmum = 0", "line 7", "unknown field `minmum`"),
        ("type = \"number\"", "type = \"decimal\"", "line 6", "unknown variant `decimal`"),
        ("type = \"number\"", "", "line 4", "missing field `type`"),
        ("type = \"number\"", "type = \"number\"\nminimum = \"0\"", "field \"size\"", "`minimum` must be a number"),
        ("type = \"number\"", "type = \"date\"\nminimum = 2026-11-30", "line 7", "a number, or a date in quotes"),
        ("kind = \"value\"", "kind = \"valued\"", "line 16", "unknown variant `valued`"),
        ("output = 0", "output = -1", "line 17", ""),
        ("endpoint = \"scores\"", "", "prediction \"score\"", "`endpoint` is missing"),
        ("endpoint = \"scores\"", "endpoint = \"scores\"\nhint = 1", "line 16", "unknown field `hint`"),
        ("[[examples]]\nname = \"one\"", "[[examples]]", "line 19", "missing field `name`"),
        ("[\"red\", \"green\"]", "[\"red\", 2]", "line 11", "a string, or a table with `name`"),
        ("[\"red\", \"green\"]", "[\"red\", { name = \"green\", alias = [] }]", "line 11", "unknown field `alias`"),
    ]);
    let golden = changed(SMALL, "name = \"small\"", "name = \"small\"\n[golden]\ntolerence = 1");
    refused(golden, "line 4", "unknown field `tolerence`");
}

#[test]
fn the_entries_of_the_model_itself_must_be_valid() {
    let long = format!("name = {:?}", "a".repeat(65));
    for name in ["name = \"\"", "name = \"Small\"", "name = \"1st\"", "name = \"a b\"", "name = \"ä\"", &long] {
        refused(changed(SMALL, "name = \"small\"", name), "name", "a-z, 0-9, `_` and `-`, beginning with a letter");
    }
    for (lines, entry, part) in [
        ("[input]\nname = \"an input\"", "[input] name", "A-Z, a-z, 0-9"),
        ("[input]\nname = \"\"", "[input] name", "A-Z, a-z, 0-9"),
        ("[input]\nname = \"Problem\"", "[input] name", "reserved"),
        ("[input]\nname = \"FieldError\"", "[input] name", "reserved"),
        ("[golden]\ntolerance = -1", "[golden]", "`tolerance`"),
        ("[golden]\ntolerance = nan", "[golden]", "`tolerance`"),
        ("[golden]\nmax_other_class = 1.5", "[golden]", "`max_other_class`"),
        ("[golden]\nmax_other_class = -0.1", "[golden]", "`max_other_class`"),
    ] {
        refused(changed(SMALL, "name = \"small\"", &format!("name = \"small\"\n{lines}")), entry, part);
    }
}

#[test]
fn the_numbers_of_fields_and_predictions_are_limited() {
    let head = "name = \"small\"\n";
    let prediction = "[[predictions]]\nname = \"score\"\nendpoint = \"scores\"\nkind = \"value\"\n";
    let fields = |count: usize| -> String {
        (0..count).map(|n| format!("[[fields]]\nname = \"f{n}\"\ntype = \"number\"\n")).collect()
    };
    let predictions = |count: usize| -> String {
        let one = |n| format!("[[predictions]]\nname = \"p{n}\"\nendpoint = \"e{n}\"\nkind = \"value\"\noutput = 0\n");
        (0..count).map(one).collect()
    };
    refused(format!("{head}fields = []\n{prediction}"), "fields", "1 to 1000 fields, not 0");
    refused(format!("{head}{prediction}{}", fields(1_001)), "fields", "1 to 1000 fields, not 1001");
    refused(format!("{head}predictions = []\n{}", fields(2)), "predictions", "1 to 16 predictions, not 0");
    refused(format!("{head}{}{}", fields(2), predictions(17)), "predictions", "1 to 16 predictions, not 17");
    let most = packages::load(&package(format!("{head}{}{}", fields(1_000), predictions(16)), identity(1_000)));
    assert_eq!((most.signature().fields().len(), most.signature().predictions().len()), (1_000, 16));
}

#[test]
fn names_are_printable_and_unique() {
    let printable = "1 to 200 printable characters";
    let long = format!("name = {:?}", "ä".repeat(201));
    for name in ["name = \"\"", "name = \"a\\nb\"", &long] {
        let manifest = changed(SMALL, "name = \"size\"", name);
        let found = packages::mistakes(&package(manifest, identity(2)));
        assert!(found[0].starts_with("model.toml: field ") && found[0].contains(printable), "{found:?}");
    }
    each_is_refused(&[
        ("name = \"size\"", "name = \"colour\"", "field \"colour\"", "another field has this `name`"),
        ("[\"red\", \"green\"]", "[\"red\", \"red\"]", "field \"colour\"", "\"red\" is in `values` twice"),
        (
            "[\"red\", \"green\"]",
            "[\"red\", { name = \"green\", aliases = [\"red\"] }]",
            "field \"colour\"",
            "\"red\" is in `values` twice",
        ),
        ("[\"red\", \"green\"]", "[\"red\", \"\"]", "field \"colour\"", printable),
        ("[\"red\", \"green\"]", "[\"red\", { name = \"x\", aliases = [\"\\t\"] }]", "field \"colour\"", printable),
        (
            "[[examples]]",
            "[[examples]]\nname = \"one\"\ninput = { size = 1, colour = \"red\" }\n[[examples]]",
            "example \"one\"",
            "another example has this `name`",
        ),
    ]);
    let longest = "ä".repeat(200);
    packages::load(&package(
        SMALL
            .replace("name = \"size\"", &format!("name = {longest:?}"))
            .replace("size = 1", &format!("{longest:?} = 1")),
        identity(2),
    ));
}

#[test]
fn entries_for_another_type_of_field_are_refused() {
    for lines in ["minimum = 0", "exclusive_minimum = 0", "maximum = 9", "exclusive_maximum = 9", "bands = [1]"] {
        let key = lines.split(' ').next().expect("split yields");
        let to = match key {
            "bands" => "numbers and integers",
            "minimum" | "maximum" => "numbers, integers, arrays and dates",
            _ => "numbers, integers and arrays",
        };
        refused(
            colour(&format!("type = \"string\"\nvalues = [\"red\", \"green\"]\n{lines}")),
            "field \"colour\"",
            &format!("`{key}` applies only to {to}"),
        );
        refused(size(&format!("type = \"boolean\"\n{lines}")), "field \"size\"", &format!("applies only to {to}"));
    }
    for (lines, part) in [
        ("values = [\"1\"]", "`values` applies only to strings"),
        ("unknown = \"refuse\"", "`unknown` applies only to strings"),
        ("encoding = \"ordinal\"", "`encoding` applies only to strings and fields with `bands`"),
        ("missing = 0", "`missing` applies only to fields with `required = false`"),
    ] {
        for kind in ["number", "integer", "boolean"] {
            refused(size(&format!("type = {kind:?}\n{lines}")), "field \"size\"", part);
        }
    }
}

#[test]
fn bounds_must_leave_a_number_that_float32_distinguishes() {
    for (lines, part) in [
        ("type = \"number\"\nminimum = 0\nexclusive_minimum = 0", "give `minimum` or `exclusive_minimum`, not both"),
        ("type = \"number\"\nmaximum = 0\nexclusive_maximum = 0", "give `maximum` or `exclusive_maximum`, not both"),
        ("type = \"number\"\nminimum = 1\nmaximum = 0", "no number lies between"),
        ("type = \"number\"\nminimum = 1\nexclusive_maximum = 1", "no number lies between"),
        ("type = \"number\"\nexclusive_minimum = 1\nexclusive_maximum = 1", "no number lies between"),
        ("type = \"integer\"\nexclusive_minimum = 0\nexclusive_maximum = 1", "no number lies between"),
        ("type = \"number\"\nminimum = -inf", "a finite number within the range of float32"),
        ("type = \"number\"\nmaximum = nan", "a finite number within the range of float32"),
        ("type = \"number\"\nmaximum = 1e39", "a finite number within the range of float32"),
        ("type = \"integer\"\nmaximum = 10.5", "`maximum` of an integer must be a whole number"),
        ("type = \"integer\"\nmaximum = 16777217", "must lie within ±16777216"),
        ("type = \"integer\"\nexclusive_minimum = -20000000", "must lie within ±16777216"),
    ] {
        refused(size(lines), "field \"size\"", part);
    }
    let bounds = |lines: &str, body: &str| {
        let model = packages::load(&package(size(lines), identity(2)));
        model.signature().read(format!(r#"{{"size": {body}, "colour": "red"}}"#).as_bytes()).is_ok()
    };
    assert!(bounds("type = \"number\"\nminimum = 1\nmaximum = 1", "1"));
    assert!(bounds("type = \"integer\"\nexclusive_minimum = 0\nmaximum = 1", "1"));
    let integers =
        ["-16777216", "16777216", "-16777217", "16777217"].map(|number| bounds("type = \"integer\"", number));
    assert_eq!(integers, [true, true, false, false]);
}

#[test]
fn bands_ascend_within_the_bounds() {
    let many: Vec<_> = (0..1_001).map(|limit| limit.to_string()).collect();
    let many = format!("bands = [{}]", many.join(","));
    for (lines, part) in [
        ("bands = []", "1 to 1000 limits, but has 0"),
        (&*many, "1 to 1000 limits, but has 1001"),
        ("bands = [2, 1]", "strictly ascending order"),
        ("bands = [1, 1]", "strictly ascending order"),
        ("bands = [1, inf]", "finite numbers"),
        ("bands = [nan]", "finite numbers"),
        ("minimum = 1\nbands = [1, 2]", "not between the minimum and the maximum"),
        ("exclusive_maximum = 2\nbands = [1, 2]", "not between the minimum and the maximum"),
        ("maximum = 2\nbands = [1, 2.5]", "not between the minimum and the maximum"),
    ] {
        refused(size(&format!("type = \"number\"\n{lines}")), "field \"size\"", part);
    }
    packages::load(&package(size("type = \"number\"\nminimum = 0\nmaximum = 2\nbands = [1, 2]"), identity(2)));
}

#[test]
fn a_string_field_has_a_closed_set_of_values() {
    let many: Vec<_> = (0..10_001).map(|name| format!("\"v{name}\"")).collect();
    let of = |names: &[String]| format!("type = \"string\"\nvalues = [{}]", names.join(","));
    refused(colour("type = \"string\""), "field \"colour\"", "needs 1 to 10000 `values`, but has 0");
    refused(colour("type = \"string\"\nvalues = []"), "field \"colour\"", "but has 0");
    refused(colour(&of(&many)), "field \"colour\"", "but has 10001");
    let most = colour(&of(&many[..10_000])).replace("colour = \"red\"", "colour = \"v9999\"");
    packages::load(&package(most, identity(2)));
    for (lines, part) in [
        ("unknown = \"ignore\"", "`unknown = \"ignore\"` needs `encoding = \"one_hot\"`"),
        ("unknown = \"ignore\"\nencoding = \"ordinal\"", "`unknown = \"ignore\"` needs `encoding = \"one_hot\"`"),
        ("unknown = \"missing\"", "`unknown = \"missing\"` needs `required = false`"),
    ] {
        refused(colour(&format!("type = \"string\"\nvalues = [\"red\"]\n{lines}")), "field \"colour\"", part);
    }
    let two = "values = [{ name = \"red\", boolean = true }, { name = \"green\", boolean = true }]";
    refused(colour(&format!("type = \"string\"\n{two}")), "field \"colour\"", "only one of `values`");
}

#[test]
fn a_missing_value_must_be_replaced_by_one_that_the_graph_can_read() {
    let needs = "`required = false` needs `missing`, the value that the model reads for an absent field: ";
    for (kind, wrong) in [
        ("type = \"number\"", &["", "missing = \"zeros\"", "missing = 1e39", "missing = { value = \"1\" }"][..]),
        ("type = \"integer\"\nbands = [1]", &["", "missing = 0", "missing = \"zeros\""]),
        (
            "type = \"integer\"\nbands = [1]\nencoding = \"one_hot\"",
            &["", "missing = 0", "missing = { value = \"0\" }"],
        ),
        ("type = \"boolean\"", &["", "missing = \"zeros\"", "missing = { value = \"true\" }"]),
    ] {
        for missing in wrong {
            refused(size(&format!("{kind}\nrequired = false\n{missing}")), "field \"size\"", needs);
        }
    }
    let values = "type = \"string\"\nvalues = [\"red\", \"green\"]\nrequired = false";
    for missing in ["", "missing = \"zeros\"", "missing = { value = \"blue\" }", "encoding = \"one_hot\"\nmissing = 1"]
    {
        refused(colour(&format!("{values}\n{missing}")), "field \"colour\"", needs);
    }
    for missing in
        ["missing = true", "missing = nan", "missing = inf", "missing = \"none\"", "missing = { name = \"red\" }"]
    {
        let found = packages::mistakes(&package(colour(&format!("{values}\n{missing}")), identity(2)));
        assert!(found.len() == 1 && found[0].starts_with("model.toml: line 13: "), "{found:?}");
    }
}

#[test]
fn the_example_of_a_field_must_be_valid() {
    for (lines, part) in [
        ("type = \"number\"\nmaximum = 1\nexample = 2", "`example` is 2 but must be a number of at most 1"),
        ("type = \"integer\"\nexample = 0.5", "`example` is 0.5 but must be an integer"),
        ("type = \"boolean\"\nexample = \"yes\"", "`example` is \"yes\" but must be true or false"),
    ] {
        refused(size(lines), "field \"size\"", part);
    }
    let lines = "type = \"string\"\nvalues = [\"red\", \"green\"]\nexample = \"blue\"";
    refused(colour(lines), "field \"colour\"", "`example` is \"blue\" but must be one of \"red\", \"green\"");
}

#[test]
fn predictions_have_unique_names_and_endpoints() {
    let name = "1 to 64 bytes of UTF-8, without colons or control characters";
    for wrong in ["", "a:b", "a\\u0000", &"a".repeat(65)] {
        let manifest = changed(SMALL, "name = \"score\"", &format!("name = \"{wrong}\"\nschema = \"Score\""));
        let found = packages::mistakes(&package(manifest, identity(2)));
        let [mistake] = &found[..] else { panic!("{found:?}") };
        assert!(mistake.starts_with("model.toml: prediction \"") && mistake.contains(name), "{mistake}");
    }
    let long = "a".repeat(65);
    for wrong in ["", "a b", "a/b", "ä", "a.b", &long] {
        let manifest = changed(SMALL, "endpoint = \"scores\"", &format!("endpoint = \"{wrong}\""));
        refused(manifest, "prediction \"score\"", "A-Z, a-z, 0-9, `_` and `-`");
    }
    for reserved in ["docs", "openapi.json", "health", "metrics"] {
        let manifest = changed(SMALL, "endpoint = \"scores\"", &format!("endpoint = \"{reserved}\""));
        refused(manifest, "prediction \"score\"", &format!("`endpoint` \"{reserved}\" is reserved"));
    }
    each_is_refused(&[
        (
            "kind = \"value\"",
            "schema = \"a schema\"\nkind = \"value\"",
            "prediction \"score\"",
            "the schema name \"a schema\"",
        ),
        ("kind = \"value\"", "schema = \"Problem\"\nkind = \"value\"", "prediction \"score\"", "reserved"),
        (
            "kind = \"value\"",
            "schema = \"Input\"\nkind = \"value\"",
            "prediction \"score\"",
            "the schema name \"Input\" is already used",
        ),
        ("name = \"score\"", "name = \"ä\"", "prediction \"ä\"", "set `schema`"),
    ]);
    let second = |name: &str, endpoint: &str, schema: &str| {
        format!(
            "{SMALL}\n[[predictions]]\nname = {name:?}\nendpoint = {endpoint:?}\nschema = {schema:?}\nkind = \"value\"\noutput = 0"
        )
    };
    refused(second("score", "other", "Other"), "prediction \"score\"", "another prediction has this `name`");
    refused(second("other", "scores", "Other"), "prediction \"other\"", "another prediction has this `endpoint`");
    refused(second("other", "others", "Score"), "prediction \"other\"", "the schema name \"Score\" is already used");
    packages::load(&package(second("other", "others", "Other"), identity(2)));
}

#[test]
fn entries_for_another_kind_of_prediction_are_refused() {
    for (lines, key) in [
        ("kind = \"value\"\noutput = 0\ncuts = [1]", "cuts"),
        ("kind = \"value\"\noutput = 0\nvalues = [1, 2]", "values"),
        ("kind = \"probability\"\noutput = 0\noutputs = [0]", "outputs"),
        ("kind = \"bands\"\noutput = 0\ncuts = [1]\nvalues = [1, 2]\noutputs = [0]", "outputs"),
        ("kind = \"probabilities\"\nvalues = [1, 2]\noutput = 0", "output"),
        ("kind = \"values\"\nvalues = [1, 2]\noutput = 0", "output"),
        ("kind = \"labels\"\nvalues = [1, 2]\ncuts = [0]", "cuts"),
        ("kind = \"class\"\nvalues = [1, 2]\ncuts = [1]", "cuts"),
    ] {
        let found = packages::mistakes(&package(prediction(lines), identity(2)));
        let expected = format!("model.toml: prediction \"score\": `{key}` does not apply");
        assert!(found[0].starts_with(&expected), "{found:?}");
    }
    let both = prediction("kind = \"class\"\nvalues = [1, 2]\noutput = 0\noutputs = [0, 1]");
    refused(both, "prediction \"score\"", "not both");
}

#[test]
fn cuts_ascend_and_define_one_band_per_value() {
    for (cuts, values, part) in [
        ("cuts = []", "[1, 2]", "finite numbers in strictly ascending order"),
        ("", "[1, 2]", "finite numbers in strictly ascending order"),
        ("cuts = [2, 1]", "[1, 2, 3]", "finite numbers in strictly ascending order"),
        ("cuts = [1, 1]", "[1, 2, 3]", "finite numbers in strictly ascending order"),
        // Two doubles with the same float32 value.
        ("cuts = [0.1, 0.1000000001]", "[1, 2, 3]", "rounding to float32"),
        ("cuts = [nan]", "[1, 2]", "finite numbers in strictly ascending order"),
        ("cuts = [1, 1e39]", "[1, 2, 3]", "finite numbers in strictly ascending order"),
        ("cuts = [1]", "[1, 2, 3]", "1 `cuts` make 2 bands, but there are 3 `values`"),
        ("cuts = [1, 2]", "[1, 2]", "2 `cuts` make 3 bands, but there are 2 `values`"),
    ] {
        let manifest = prediction(&format!("kind = \"bands\"\noutput = 0\n{cuts}\nvalues = {values}"));
        let found = packages::mistakes(&package(manifest, identity(2)));
        assert!(
            found[0].starts_with("model.toml: prediction \"score\": ") && found[0].contains(part),
            "{cuts}: {found:?}"
        );
    }
}

#[test]
fn a_prediction_has_at_least_two_scalar_values_that_differ_as_text() {
    for kind in ["values", "labels"] {
        let manifest = prediction(&format!("kind = {kind:?}\nvalues = []"));
        refused(manifest, "prediction \"score\"", "this `kind` needs 1 to 10000 `values`, but has 0");
    }
    for kind in ["class", "probabilities", "bands"] {
        for values in ["", "values = []", "values = [1]"] {
            let manifest = prediction(&format!("kind = {kind:?}\n{values}"));
            let found = packages::mistakes(&package(manifest, identity(2)));
            let expected = "model.toml: prediction \"score\": this `kind` needs 2 to 10000 `values`, but has ";
            assert!(found[0].starts_with(expected), "{found:?}");
        }
    }
    for (values, part) in [
        ("[\"a\", \"a\"]", "\"a\" is in `values` twice"),
        ("[1, \"1\"]", "\"1\" is in `values` twice"),
        ("[true, { name = \"true\" }]", "\"true\" is in `values` twice"),
        ("[\"\", \"a\"]", "printable characters"),
        ("[\"a\\nb\", \"a\"]", "printable characters"),
    ] {
        refused(prediction(&format!("kind = \"class\"\nvalues = {values}")), "prediction \"score\"", part);
    }
    for values in ["[[1], 2]", "[{ name = [1] }, 2]", "[{ title = \"a\" }, 2]"] {
        let found =
            packages::mistakes(&package(prediction(&format!("kind = \"class\"\nvalues = {values}")), identity(2)));
        assert!(found.len() == 1 && found[0].starts_with("model.toml: line 17: "), "{found:?}");
    }
}

#[test]
fn examples_are_valid_inputs_unless_they_are_marked_as_invalid() {
    each_is_refused(&[
        ("name = \"one\"", "name = \"one two\"", "example \"one two\"", "A-Z, a-z, 0-9"),
        ("name = \"one\"", "name = \"\"", "example \"\"", "A-Z, a-z, 0-9"),
        (
            "size = 1, colour",
            "size = \"1\", colour",
            "example \"one\"",
            "`input` is not valid: \"size\" must be a number",
        ),
        ("size = 1, colour", "colour", "example \"one\"", "`input` is not valid: \"size\" is required"),
        (
            "size = 1, colour",
            "sizes = 1, size = 1, colour",
            "example \"one\"",
            "`input` is not valid: \"sizes\" is not a field",
        ),
        ("name = \"one\"", "name = \"one\"\nvalid = false", "example \"one\"", "`input` is valid"),
    ]);
}

#[test]
fn every_mistake_is_listed_and_the_start_shows_the_first_and_the_number_of_others() {
    let manifest =
        SMALL.replace("name = \"small\"", "name = \"Small\"").replace("[\"red\", \"green\"]", "[\"red\", \"red\"]");
    let manifest = changed(&manifest, "endpoint = \"scores\"", "endpoint = \"docs\"");
    let package = package(manifest, identity(2));
    let entries = ["field \"colour\"", "prediction \"score\"", "name"];
    let found = packages::mistakes(&package);
    assert_eq!(found.len(), 3, "{found:?}");
    for (mistake, entry) in found.iter().zip(entries) {
        assert!(mistake.starts_with(&format!("model.toml: {entry}: ")), "{mistake}");
    }
    let shown = Model::load(&package).err().map(|error: PackageError| error.to_string()).expect("refused");
    let expected = format!("the embedded model package: {} (2 more: `predict-once check` lists all)", found[0]);
    assert_eq!(shown, expected);
}

/// The only mistake of a package, which must not be in `model.toml`.
fn graph_mistake(package: &Package) -> String {
    let found = packages::mistakes(package);
    let [mistake] = &found[..] else { panic!("{found:?}") };
    assert!(!mistake.contains('\n'), "{mistake:?}");
    mistake.clone()
}

#[test]
fn a_file_that_is_not_a_graph_is_refused() {
    let graph = packages::shipped().onnx.to_vec();
    for bytes in [&b""[..], b"no model", &graph[..graph.len() / 2], &graph[..graph.len() - 1]] {
        let mut package = packages::shipped();
        package.onnx = bytes.to_vec().into();
        let mistake = graph_mistake(&package);
        assert!(mistake.starts_with("model.onnx: "), "{mistake}");
    }
    let unknown = Onnx::new(2).node("NoSuchOperator", &["x"], "y", &[]).file("y", 2);
    let mistake = graph_mistake(&package(SMALL, unknown));
    assert!(mistake.starts_with("model.onnx: ") && mistake.contains("tract does not know NoSuchOperator"), "{mistake}");
}

#[test]
fn the_graph_must_read_the_columns_of_the_fields() {
    let mistake = graph_mistake(&package(SMALL, identity(3)));
    assert!(mistake.starts_with("model.onnx: reads 3 columns, but the fields of model.toml make 2"), "{mistake}");
    let one_hot =
        SMALL.replace("values = [\"red\", \"green\"]", "values = [\"red\", \"green\"]\nencoding = \"one_hot\"");
    packages::load(&package(one_hot, identity(3)));
}

#[test]
fn the_names_of_the_graphs_columns_must_be_those_of_the_fields() {
    let named = |names: serde_json::Value| {
        let graph = Onnx::new(2).node("Identity", &["x"], "y", &[]).metadata("feature_names", &names.to_string());
        package(SMALL, graph.file("y", 2))
    };
    packages::load(&named(json!(["size", "colour"])));
    for (names, part) in [
        (json!(["colour", "size"]), "calls column 0 \"colour\", but the fields of model.toml make it \"size\""),
        (json!(["size", "color"]), "calls column 1 \"color\""),
        (json!(["size"]), "names 1 columns, but the fields of model.toml make 2"),
        (json!(["size", "colour", "shape"]), "names 3 columns"),
        (json!("size"), "must be a JSON array of strings"),
        (json!([1, 2]), "must be a JSON array of strings"),
    ] {
        let mistake = graph_mistake(&named(names));
        let entry = "model.onnx: metadata entry \"feature_names\": ";
        assert!(mistake.starts_with(entry) && mistake.contains(part), "{mistake}");
    }
    let mut other = packages::shipped();
    let (name, renamed) = (b"foreign_worker=yes", b"foreign_walker=yes");
    let mut onnx = other.onnx.to_vec();
    let position = onnx.windows(name.len()).position(|bytes| bytes == name).expect("a feature");
    onnx[position..position + name.len()].copy_from_slice(renamed);
    other.onnx = onnx.into();
    assert!(graph_mistake(&other).contains("\"foreign_walker=yes\""));
}

#[test]
fn the_graph_must_return_the_columns_that_the_predictions_read() {
    let two = "values = [1, 2]";
    for (lines, part) in [
        ("kind = \"value\"", "needs `output`, since the graph has 2 output columns"),
        ("kind = \"probability\"", "needs `output`"),
        ("kind = \"bands\"\ncuts = [1]\nvalues = [1, 2]", "needs `output`"),
        ("kind = \"value\"\noutput = 2", "reads output column 2, but the graph's columns are 0 to 1"),
        (&format!("kind = \"class\"\noutput = 2\n{two}"), "reads output column 2"),
        (&format!("kind = \"class\"\noutputs = [0, 2]\n{two}"), "reads output column 2"),
        (&format!("kind = \"probabilities\"\noutputs = [5, 0]\n{two}"), "reads output column 5"),
        ("kind = \"class\"\nvalues = [1, 2, 3]", "has 3 `values`, but the graph has 2 output columns"),
        ("kind = \"probabilities\"\nvalues = [1, 2, 3]", "has 3 `values`, but the graph has 2 output columns"),
    ] {
        refused(prediction(lines), "prediction \"score\"", part);
    }
    for (lines, part) in [
        (format!("kind = \"class\"\noutputs = [0]\n{two}"), "`outputs` has 1 columns, but there are 2 `values`"),
        (format!("kind = \"probabilities\"\noutputs = []\n{two}"), "`outputs` has 0 columns, but there are 2 `values`"),
    ] {
        refused(prediction(&lines), "prediction \"score\"", part);
    }
}

#[test]
fn a_graph_that_cannot_run_is_refused_at_the_start() {
    let graph = Onnx::new(2).constant("three", &[3], &[1.0; 3]).node("Add", &["x", "three"], "y", &[]).file("y", 3);
    assert!(graph_mistake(&package(SMALL, graph)).starts_with("model.onnx: "));
}
