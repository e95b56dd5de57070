//! Fields of `type = "image"`: what a graph reads, what belongs to the fingerprint, and each mistake in `model.toml`.

use model_package::{DataType, EntryContent};
use predict_once::model::Package;
use serde_json::json;
use test_support::{
    onnx::{DOUBLE, FLOAT, FLOAT16, Onnx, UINT8},
    packages::SMALLEST_IMAGE,
};

use crate::packages::{self, package};

const MANIFEST: &str = r#"
name = "sums"

[[fields]]
name = "image"
type = "image"
preprocessor = { size = { height = 2, width = 4 }, resample = 2 }

[[predictions]]
name = "pixels"
endpoint = "pixels"
kind = "vector"
"#;

/// Returns the image, cast to float32.
fn pixels(manifest: &str, datatype: u64, shape: &[&str]) -> Package {
    let graph = Onnx::empty().with_input("image", datatype, shape).node("Cast", &["image"], "cast", &[("to", FLOAT)]);
    package(manifest, graph.node("Flatten", &["cast"], "y", &[("axis", 1)]).file("y", 24))
}

fn answer(package: &Package) -> Vec<f32> {
    let model = packages::load(package);
    let body = json!({ "image": SMALLEST_IMAGE }).to_string();
    let input = model.signature().read(body.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let answer = model.predict(0, &input).unwrap_or_else(|error| panic!("{error}"));
    answer.entry.chunks_exact(4).map(|number| f32::from_le_bytes(number.try_into().expect("four bytes"))).collect()
}

#[test]
fn a_graph_is_fed_the_type_and_the_layout_that_it_declares() {
    let planes = [200.0_f32, 100.0, 50.0].map(|colour| [(f64::from(colour) / 255.0) as f32; 8]).concat();
    assert_eq!(answer(&pixels(MANIFEST, FLOAT, &["N", "3", "2", "4"])), planes);
    assert_eq!(answer(&pixels(MANIFEST, FLOAT, &["N", "3", "height", "width"])), planes);
    let rounded = answer(&pixels(MANIFEST, FLOAT16, &["N", "3", "2", "4"]));
    assert!(
        rounded != planes && rounded.iter().zip(&planes).all(|(one, other)| (one - other).abs() < 1e-3),
        "{rounded:?}"
    );
    let raw = MANIFEST.replace("resample = 2 }", "resample = 2, do_rescale = false, layout = 'NHWC' }");
    let pixels_of = [[200.0, 100.0, 50.0]; 8].concat();
    for datatype in [UINT8, FLOAT] {
        let package = pixels(&raw, datatype, &["N", "2", "4", "3"]);
        assert_eq!(answer(&package), pixels_of);
        let expected = if datatype == UINT8 { DataType::Uint8 } else { DataType::Float32 };
        assert_eq!(packages::load(&package).signature().inputs()[0].datatype(), expected);
    }
}

#[test]
fn what_is_done_with_an_image_belongs_to_the_fingerprint_and_its_limits_do_not() {
    let fingerprint = |manifest: &str| {
        packages::load(&pixels(manifest, FLOAT, &["N", "3", "2", "4"])).fingerprint(EntryContent::Output).to_owned()
    };
    let first = fingerprint(MANIFEST);
    for (from, to) in [
        ("resample = 2", "resample = 3"),
        ("resample = 2", "resample = 2, rescale_factor = 0.5"),
        ("resample = 2", "resample = 2, image_mean = 0.5, image_std = 0.5"),
    ] {
        assert_ne!(fingerprint(&MANIFEST.replace(from, to)), first, "{to}");
    }
    let limits = MANIFEST
        .replace("type = \"image\"", "type = \"image\"\nmax_bytes = 1000\nmax_pixels = 1000\ndescription = 'x'");
    assert_eq!(fingerprint(&limits), first);
}

#[test]
fn the_preprocessor_can_be_a_file_of_the_package() {
    let with_file = |file: &str, content: &str| {
        let manifest = MANIFEST.replace("{ size = { height = 2, width = 4 }, resample = 2 }", &format!("{file:?}"));
        let mut package = pixels(&manifest, FLOAT, &["N", "3", "2", "4"]);
        package.files.insert("preprocessor_config.json".to_owned(), content.as_bytes().to_vec().into());
        package
    };
    let config = r#"{ "do_resize": true, "size": { "height": 2, "width": 4 }, "resample": 2 }"#;
    let package = with_file("preprocessor_config.json", config);
    let inline = pixels(MANIFEST, FLOAT, &["N", "3", "2", "4"]);
    assert_eq!(answer(&package), answer(&inline));
    let fingerprint = |package: &Package| packages::load(package).fingerprint(EntryContent::Output).to_owned();
    assert_eq!(fingerprint(&package), fingerprint(&inline));
    for (file, content, problem) in [
        ("preprocessor_config.json", "{", "`preprocessor` \"preprocessor_config.json\": EOF while parsing"),
        ("preprocessor_config.json", r#"{"do_pad": true}"#, "`preprocessor` \"preprocessor_config.json\": `do_pad`"),
        ("other.json", config, "names \"other.json\", which is missing from the package"),
        ("../x.json", config, "name a file in the package's directory"),
    ] {
        let mistakes = packages::mistakes(&with_file(file, content));
        assert!(mistakes.iter().any(|mistake| mistake.contains(problem)), "{mistakes:?}");
    }
}

#[test]
fn each_mistake_in_an_images_entry_is_named() {
    let kind = "type = \"image\"";
    for (datatype, from, to, problem) in [
        (FLOAT, "preprocessor = { size = { height = 2, width = 4 }, resample = 2 }", "", "needs `preprocessor = "),
        (FLOAT, "resample = 2", "resample = 9", "`preprocessor`: `resample` must be 0 (nearest)"),
        (FLOAT, "resample = 2", "resample = 2, do_pad = true", "`preprocessor`: `do_pad` is not supported"),
        (FLOAT, "{ height = 2, width = 4 }", "{ shortest_edge = 2 }", "leaves images in different sizes"),
        (FLOAT, "width = 4", "width = 5", "makes tensors of shape [3, 2, 5], but the graph declares [3, 2, 4]"),
        (
            FLOAT,
            "resample = 2",
            "resample = 2, layout = 'NHWC'",
            "makes tensors of shape [2, 4, 3], but the graph declares [3, 2, 4]",
        ),
        (FLOAT, kind, "type = 'image'\nmax_bytes = 5_000_000", "`max_bytes` must be 1 to 4400000, not 5000000"),
        (FLOAT, kind, "type = 'image'\nmax_pixels = 0", "`max_pixels` must be 1 to 67108864, not 0"),
        (FLOAT, kind, "type = 'image'\nmaximum = 1", "`maximum` applies only to numbers"),
        (FLOAT, kind, "type = 'image'\nexample = 'AAAA'", "not a JPEG, PNG or WebP image"),
        (FLOAT, kind, "type = 'number'", "`preprocessor` applies only to images"),
        (UINT8, kind, "type = 'image'", "the graph reads UINT8, so `do_rescale` and `do_normalize`"),
        (DOUBLE, kind, "type = 'image'", "the graph reads FP64, but images are FP32, FP16 or UINT8"),
    ] {
        let manifest = MANIFEST.replace(from, to);
        assert_ne!(manifest, MANIFEST.replace(kind, ""), "{from}");
        let mistakes = packages::mistakes(&pixels(&manifest, datatype, &["N", "3", "2", "4"]));
        assert!(
            mistakes.iter().any(|mistake| mistake.contains("field \"image\"") && mistake.contains(problem)),
            "{to}: {mistakes:?}"
        );
    }
}
