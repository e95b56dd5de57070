//! Fuzzed request bodies.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::Index};
use test_support::applications::example;

use crate::{
    edit::{any_edit, edited},
    events::any_value,
    fuzz,
    subject::{Reached, any_path, in_memory},
};

#[test]
fn a_body_of_any_bytes_gets_a_right_answer_or_a_problem() {
    let subject = in_memory();
    fuzz(2_000, 1, (any_path(), vec(any::<u8>(), 0..200)), |(path, body)| subject.post(path, body).map(drop));
}

#[test]
fn a_body_that_is_nearly_an_application_gets_a_right_answer_or_a_problem() {
    let (subject, reached) = (in_memory(), Reached::default());
    let bodies = vec(any_edit(), 0..4).prop_map(|edits| Bytes::from(edited(&example().to_string(), &edits)));
    fuzz(4_000, 1, (any_path(), bodies), |(path, body)| {
        Reached::count(&reached.all);
        reached.answered(subject.post(path, body)?);
        Ok(())
    });
    assert!(reached.predictions.get() > reached.all.get() / 20, "{}", reached.predictions.get());
}

#[test]
fn a_body_of_any_json_gets_a_right_answer_or_a_problem() {
    let subject = in_memory();
    let fields: Vec<_> = example().as_object().expect("an object").keys().cloned().collect();
    let bodies = prop_oneof![
        any_value(),
        vec((any::<Index>(), any_value()), 0..3).prop_map(move |values| {
            let mut application = example();
            for (field, value) in values {
                application[field.get(&fields)] = value;
            }
            application
        }),
    ];
    fuzz(2_000, 1, (any_path(), bodies), |(path, body)| subject.post(path, body.to_string()).map(drop));
}
