//! How each kind of prediction turns the graph's output into an answer and reads entries. The graph returns its input, so a request
//! determines the output.

use bytes::Bytes;
use model_package::ModelError;
use predict_once::model::Model;
use proptest::prelude::*;
use serde_json::Value;

use crate::packages::{self, identity, package};

/// A model with `columns` number fields and one prediction `p`, defined by these manifest entries.
fn model(columns: usize, prediction: &str) -> Model {
    let fields: String = (0..columns)
        .map(|n| format!("[[fields]]\nname = \"c{n}\"\ntype = \"number\"\nrequired = false\nmissing = \"nan\"\n"))
        .collect();
    let manifest = format!("name = \"m\"\n{fields}[[predictions]]\nname = \"p\"\nendpoint = \"p\"\n{prediction}");
    packages::load(&package(manifest, identity(columns)))
}

/// The entry and the body for an output, which may contain NaN.
fn derived(model: &Model, output: &[f64]) -> Result<(String, String), ModelError> {
    let number = |value: &f64| if value.is_nan() { Value::Null } else { Value::from(*value) };
    let members = output.iter().enumerate().map(|(n, value)| (format!("c{n}"), number(value)));
    let body = Value::Object(members.collect()).to_string();
    let answer = model.predict(0, &model.signature().read(body.as_bytes()).expect("numbers"))?;
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    Ok((text(answer.entry), text(answer.body)))
}

/// The entry for an output in one column.
fn entry(model: &Model, output: f64) -> Option<String> {
    derived(model, &[output]).ok().map(|(entry, _)| entry)
}

fn read(model: &Model, entry: &str) -> Option<String> {
    let answer = model.signature().predictions()[0].read(&Bytes::copy_from_slice(entry.as_bytes()))?;
    Some(String::from_utf8(answer.body.to_vec()).expect("UTF-8"))
}

const DECISION: &str = "kind = \"bands\"\ncuts = [0.3]\nvalues = [\"ACCEPT\", \"DECLINE\"]";
const CATEGORY: &str = "kind = \"bands\"\ncuts = [0.25, 0.3, 0.4]\nvalues = [\"low\", 1, true, \"high\"]";
const CLASS: &str = "kind = \"class\"\nvalues = [\"a\", 2, false]";

#[test]
fn a_cut_belongs_to_the_band_above_it_and_is_compared_as_float32() {
    let decision = model(1, DECISION);
    let decide = |output| entry(&decision, output).expect("a decision");
    assert_eq!([0.0, 0.299_999, 0.3, 1.0, -1e30].map(decide), ["ACCEPT", "ACCEPT", "DECLINE", "DECLINE", "ACCEPT"]);
    // The double just below 0.3, which has the same float32 value.
    assert_eq!(decide(0.3_f64.next_down()), "DECLINE");
    let category = model(1, CATEGORY);
    let categorise = |output| derived(&category, &[output]).expect("a category").1;
    assert_eq!(
        [0.0, 0.25, 0.3, 0.4, 1.0].map(categorise),
        [r#"{"p":"low"}"#, r#"{"p":1}"#, r#"{"p":true}"#, r#"{"p":"high"}"#, r#"{"p":"high"}"#]
    );
}

#[test]
fn a_value_is_the_shortest_decimal_of_its_float32_and_finite() {
    let value = model(1, "kind = \"value\"");
    for (output, expected) in [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (0.320_254_27, "0.32025427"),
        (1e-5, "1e-5"),
        (1e20, "1e20"),
    ] {
        let body = format!("{{\"p\":{expected}}}");
        assert_eq!(derived(&value, &[output]).expect("a number"), (expected.to_owned(), body.clone()), "{output}");
        assert_eq!(read(&value, expected), Some(body));
    }
    assert!(derived(&value, &[f64::NAN]).is_err());
}

#[test]
fn a_probability_that_rounding_put_out_of_range_is_clamped_and_one_further_out_is_an_error() {
    let probability = model(1, "kind = \"probability\"");
    for (output, expected) in [
        (0.0, Some("0.0")),
        (1.0, Some("1.0")),
        (-0.0, Some("0.0")),
        (0.25, Some("0.25")),
        (1.000_009, Some("1.0")),
        (-0.000_009, Some("0.0")),
        (1.000_02, None),
        (-0.000_02, None),
        (2.0, None),
        (f64::NAN, None),
    ] {
        assert_eq!(entry(&probability, output).as_deref(), expected, "{output}");
    }
}

#[test]
fn a_class_is_the_first_maximum_or_the_one_at_a_position() {
    let class = model(3, CLASS);
    for (scores, expected) in [
        ([0.1, 0.7, 0.2], r#"{"p":2}"#),
        ([0.4, 0.4, 0.2], r#"{"p":"a"}"#),
        ([0.0, 0.0, 0.0], r#"{"p":"a"}"#),
        ([-3.0, -2.0, -1.0], r#"{"p":false}"#),
    ] {
        assert_eq!(derived(&class, &scores).expect("a class").1, expected);
    }
    assert!(derived(&class, &[0.1, f64::NAN, 0.2]).is_err());

    let chosen = model(4, "kind = \"class\"\noutputs = [3, 1]\nvalues = [\"third\", \"first\"]");
    assert_eq!(derived(&chosen, &[9.0, 0.1, 9.0, 0.2]).expect("a class").0, "third");

    let position = model(2, &format!("{CLASS}\noutput = 1"));
    for (output, expected) in [
        (0.0, Some("a")),
        (-0.0, Some("a")),
        (2.0, Some("false")),
        (3.0, None),
        (0.5, None),
        (-1.0, None),
        (1e30, None),
        (f64::NAN, None),
    ] {
        let entry = derived(&position, &[9.0, output]).ok().map(|(entry, _)| entry);
        assert_eq!(entry.as_deref(), expected, "{output}");
    }
}

#[test]
fn probabilities_are_an_object_with_the_values_as_text_in_their_order() {
    let odds = model(3, "kind = \"probabilities\"\noutputs = [2, 0]\nvalues = [1, \"b\\\"c\"]");
    let (entry, body) = derived(&odds, &[0.25, 9.0, 0.75]).expect("probabilities");
    assert_eq!((&*entry, &*body), ("0.75,0.25", r#"{"p":{"1":0.75,"b\"c":0.25}}"#));
    assert_eq!(read(&odds, &entry), Some(body));
    for wrong in
        ["", "0.75", "0.75,0.25,0.0", "0.75,", ",0.25", "0.75, 0.25", "0.75,1.1", "0.75,-0.1", "0.75;0.25", "1,0"]
    {
        assert_eq!(read(&odds, wrong), None, "{wrong:?}");
    }
    assert!(derived(&odds, &[0.25, 0.0, 1.1]).is_err());
    assert!(derived(&odds, &[f64::NAN, 0.0, 1.0]).is_err());
}

#[test]
fn named_numbers_are_an_object_in_their_order() {
    let values = model(3, "kind = \"values\"\noutputs = [2, 0]\nvalues = [\"height\", \"mass: kg\"]");
    let (entry, body) = derived(&values, &[-2.5, 9.0, 1e3]).expect("numbers");
    assert_eq!((&*entry, &*body), ("1000.0,-2.5", r#"{"p":{"height":1000.0,"mass: kg":-2.5}}"#));
    assert_eq!(read(&values, &entry), Some(body));
    for wrong in ["", "1000.0", "1000.0,-2.5,0.0", "1000.0,NaN", "1000.0;-2.5", "1e3,-2.5"] {
        assert_eq!(read(&values, wrong), None, "{wrong:?}");
    }
    assert!(derived(&values, &[f64::INFINITY, 0.0, 1.0]).is_err());
}

#[test]
fn labels_are_a_list_of_the_values_whose_column_is_at_least_a_half() {
    let labels = model(3, "kind = \"labels\"\nvalues = [\"a, b\", 2, true]");
    for (outputs, flags, list) in [
        ([0.5, 0.0, 1.0], "101", r#"{"p":["a, b",true]}"#),
        ([0.49, 0.6, -7.0], "010", r#"{"p":[2]}"#),
        ([0.0, 0.0, 0.0], "000", r#"{"p":[]}"#),
    ] {
        let (entry, body) = derived(&labels, &outputs).expect("labels");
        assert_eq!((&*entry, &*body), (flags, list));
        assert_eq!(read(&labels, &entry), Some(body));
    }
    for wrong in ["", "10", "1010", "102", "1,0", " 01"] {
        assert_eq!(read(&labels, wrong), None, "{wrong:?}");
    }
    assert!(derived(&labels, &[f64::NAN, 0.0, 1.0]).is_err());
}

#[test]
fn an_invalid_entry_is_not_an_answer() {
    let decision = model(1, DECISION);
    for entry in ["", "accept", "ACCEPT ", "\"ACCEPT\"", "DECLINED", "0", "ACCEPT\n"] {
        assert_eq!(read(&decision, entry), None, "{entry:?}");
    }
    let category = model(1, CATEGORY);
    for entry in ["", "1.0", "True", "\"low\"", "01"] {
        assert_eq!(read(&category, entry), None, "{entry:?}");
    }
    let probability = model(1, "kind = \"probability\"");
    let value = model(1, "kind = \"value\"");
    for entry in ["", "NaN", "inf", "-0", "-0.0", "+0.3", "0.30", "3e-1", ".3", "0.3 ", "0.3\0", "1", "0.1000000001"] {
        assert_eq!((read(&probability, entry), read(&value, entry)), (None, None), "{entry:?}");
    }
    for entry in ["-0.1", "1.1"] {
        assert_eq!((read(&probability, entry), read(&value, entry).is_some()), (None, true), "{entry:?}");
    }
    let not_utf8 = Bytes::from_static(&[0xff, 0xfe]);
    for model in [decision, category, probability, value] {
        assert_eq!(model.signature().predictions()[0].read(&not_utf8), None);
    }
}

#[test]
fn every_finite_number_reads_back_from_its_entry() {
    let value = model(1, "kind = \"value\"");
    proptest!(|(number in any::<f32>().prop_filter("it is finite", |number| number.is_finite()))| {
        let (entry, body) = derived(&value, &[f64::from(number)]).expect("a number");
        prop_assert_eq!(entry.parse::<f32>(), Ok(number));
        prop_assert_eq!(read(&value, &entry), Some(body));
    });
}

/// Limits learnt by a training library have that many digits.
#[test]
fn a_number_equal_to_a_limit_of_seventeen_digits_is_in_the_band_above_it() {
    proptest!(|(limit in 1e-3..1e9)| {
        let fields = format!("[[fields]]\nname = \"c0\"\ntype = \"number\"\nbands = [{limit:?}]\n");
        let manifest = format!("name = \"m\"\n{fields}[[predictions]]\nname = \"p\"\nendpoint = \"p\"\nkind = \"value\"");
        let model = packages::load(&package(manifest, identity(1)));
        let band = |number: f64| model.signature().read(format!("{{\"c0\": {number:?}}}").as_bytes()).expect("valid").to_string();
        prop_assert_eq!(band(limit), "1", "{:?}", limit);
        prop_assert_eq!(band(limit.next_down()), "0", "{:?}", limit);
    });
}
