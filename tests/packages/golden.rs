//! Every package's answers against the golden file that its training wrote.

use predict_once::{model::Model, model::golden::Replay};

use crate::{every_package::PACKAGES, packages};

#[test]
fn every_package_answers_its_golden_inputs_like_the_library_that_trained_it() {
    for directory in PACKAGES {
        let package = packages::read(directory);
        let model = Model::load(&package).unwrap_or_else(|error| panic!("{error}"));
        let golden = package.golden.as_deref().unwrap_or_else(|| panic!("{directory} has no golden.jsonl"));
        let replay = Replay::run(&model, golden);
        assert_eq!(replay.mistakes, [], "{directory}");
        assert!(replay.answers >= replay.rows && replay.rows > 0, "{directory}: {replay:?}");
        let tolerated = model.signature().golden;
        assert!(replay.rows_that_differ as f64 <= tolerated.share * replay.rows as f64, "{directory}: {replay:?}");
    }
}

#[test]
fn the_shipped_package_answers_a_thousand_inputs_within_a_millionth() {
    let package = packages::shipped();
    let replay = Replay::run(&packages::load(&package), package.golden.as_deref().expect("it ships with golden rows"));
    assert_eq!((replay.rows, replay.answers, replay.rows_that_differ), (1_000, 3_000, 0), "{replay:?}");
    assert!(replay.largest_difference <= 1e-6, "{replay:?}");
}
