//! With randomly changed attributes, loading and running terminate without a panic and in bounded memory.

use proptest::{collection::vec, prelude::*, sample::Index};
use tract_onnx::pb::AttributeProto;

use crate::support::{Attributes, classifier, load, regressor, run};

#[derive(Debug, Clone)]
enum Change {
    SetInt(i64),
    SetFloat(f32),
    SetMode(&'static str),
    Shorten,
    Repeat,
    SwapWith(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let mode = prop::sample::select(vec![
        "LEAF",
        "BRANCH_LEQ",
        "BRANCH_LT",
        "BRANCH_GTE",
        "BRANCH_GT",
        "BRANCH_EQ",
        "BRANCH_NEQ",
        "",
        "BRANCH_MEMBER",
    ]);
    prop_oneof![
        12 => (-1..6_i64).prop_map(Change::SetInt),
        1 => any::<i64>().prop_map(Change::SetInt),
        2 => any::<f32>().prop_map(Change::SetFloat),
        4 => mode.prop_map(Change::SetMode),
        1 => Just(Change::Shorten),
        1 => Just(Change::Repeat),
        2 => any::<Index>().prop_map(Change::SwapWith),
    ]
}

fn apply(attribute: &mut AttributeProto, at: Index, change: &Change) {
    fn edit<T: Clone>(list: &mut Vec<T>, at: Index, change: &Change, value: Option<T>) {
        if list.is_empty() {
            return;
        }
        let at = at.index(list.len());
        match change {
            Change::Shorten => list.truncate(at),
            Change::Repeat => list.push(list[at].clone()),
            Change::SwapWith(other) => {
                let other = other.index(list.len());
                list.swap(at, other);
            }
            _ => {
                if let Some(value) = value {
                    list[at] = value;
                }
            }
        }
    }
    let int = if let Change::SetInt(value) = change { Some(*value) } else { None };
    let float = if let Change::SetFloat(value) = change { Some(*value) } else { None };
    let mode = if let Change::SetMode(name) = change { Some(name.as_bytes().to_vec()) } else { None };
    edit(&mut attribute.ints, at, change, int);
    edit(&mut attribute.floats, at, change, float);
    edit(&mut attribute.strings, at, change, mode);
    if let Some(value) = int {
        attribute.i = value;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn mutated_attributes_load_or_fail_and_run_to_the_end(
        classify in any::<bool>(),
        changes in vec((any::<Index>(), any::<Index>(), change()), 0..6),
        row in vec(prop_oneof![any::<f32>(), Just(f32::NAN), Just(0.5), Just(-1.0)], 2),
    ) {
        let (operator, attributes) = if classify {
            ("TreeEnsembleClassifier", classifier())
        } else {
            ("TreeEnsembleRegressor", regressor())
        };
        let mut attributes: Attributes = attributes.ints("nodes_missing_value_tracks_true", &[0, 0, 1, 0, 0, 0]);
        for (which, at, change) in &changes {
            let which = which.index(attributes.0.len());
            apply(&mut attributes.0[which], *at, change);
        }
        if let Ok(model) = load(operator, &attributes, 2) {
            prop_assert!(run(&model, &row).is_ok());
        }
    }
}
