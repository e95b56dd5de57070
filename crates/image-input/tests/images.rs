//! Images against Pillow, whose pixels `fixtures.py` has written, and files that are no images.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, Crc, write::ZlibEncoder};
use image_input::{Format, ImageError, Limits, Pixels, Preprocessor};
use serde_json::{Value, json};

const LIMITS: Limits = Limits { bytes: 1 << 20, pixels: 1 << 20 };

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn file(name: &str) -> Vec<u8> {
    fs::read(fixtures().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn images() -> Vec<String> {
    let files = fs::read_dir(fixtures()).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let mut images: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|suffix| suffix != "rgb" && suffix != "gif")).collect();
    images.sort();
    images.iter().map(|path| path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned()).collect()
}

fn preprocessor(config: Value) -> Preprocessor {
    try_preprocessor(config).expect("a configuration")
}

fn try_preprocessor(config: Value) -> Result<Preprocessor, String> {
    let Value::Object(config) = config else { panic!("not an object: {config}") };
    Preprocessor::from_config(config).map_err(|error| error.to_string())
}

fn decode(file: &[u8]) -> Result<Pixels, ImageError> {
    preprocessor(json!({ "do_resize": false })).pixels(file, LIMITS)
}

/// A PNG of this size with these inflated bytes in place of its rows.
fn png(width: u32, height: u32, rows: &[u8]) -> Vec<u8> {
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::best());
    deflated.write_all(rows).expect("memory");
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", deflated.finish().expect("memory")), (b"IEND", Vec::new())] {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(&data);
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(kind);
        png.extend(data);
        png.extend(crc.sum().to_be_bytes());
    }
    png
}

#[test]
fn decoded_images_are_pillows() {
    let refused = ["16-bit-gray.png", "animated.webp"];
    let images: Vec<_> = images().into_iter().filter(|name| !refused.contains(&name.as_str())).collect();
    assert!(images.len() > 20, "{images:?}");
    for name in images {
        let pixels = decode(&file(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = file(Path::new(&name).with_extension("rgb").to_str().expect("a name"));
        assert_eq!(pixels.rgb().len(), expected.len(), "{name}");
        let differences = pixels.rgb().iter().zip(&expected).map(|(pixel, expected)| pixel.abs_diff(*expected));
        // JPEG leaves rounding to the decoder.
        let allowed = if name.ends_with("jpg") { 4 } else { 0 };
        assert!(differences.max() <= Some(allowed), "{name}");
    }
}

#[test]
fn resized_images_are_pillows_to_the_bit() {
    for resample in 0..6 {
        for (height, width) in [(16, 20), (50, 61)] {
            let size = json!({ "height": height, "width": width });
            let preprocessor = preprocessor(json!({ "size": size, "resample": resample }));
            let pixels = preprocessor.pixels(&file("rgb.png"), LIMITS).expect("an image");
            let expected = file(&format!("rgb-{height}x{width}-{resample}.rgb"));
            assert_eq!((pixels.height(), pixels.width()), (height, width));
            assert!(pixels.rgb() == expected, "{height} × {width}, filter {resample}");
        }
    }
}

#[test]
fn an_image_is_turned_as_its_exif_data_says() {
    let upright = decode(&file("orientation-1.png")).expect("an image");
    let pixel =
        |image: &Pixels, row: usize, column: usize| image.rgb()[3 * (row * image.width() + column)..][..3].to_vec();
    let (bottom, right) = (upright.height() - 1, upright.width() - 1);
    // Where the first pixel of the first and of the last stored row belong.
    for (orientation, first, last) in [
        (1, (0, 0), (bottom, 0)),
        (2, (0, right), (bottom, right)),
        (3, (bottom, right), (0, right)),
        (4, (bottom, 0), (0, 0)),
        (5, (0, 0), (0, bottom)),
        (6, (0, bottom), (0, 0)),
        (7, (right, bottom), (right, 0)),
        (8, (right, 0), (right, bottom)),
    ] {
        let turned = decode(&file(&format!("orientation-{orientation}.png"))).expect("an image");
        assert_eq!(pixel(&turned, first.0, first.1), pixel(&upright, 0, 0), "{orientation}");
        assert_eq!(pixel(&turned, last.0, last.1), pixel(&upright, bottom, 0), "{orientation}");
    }
}

#[test]
fn pixels_are_rescaled_normalised_and_laid_out() {
    let config = json!({ "image_mean": [0.5, 0.25, 0.0], "image_std": [0.5, 0.5, 2.0] });
    let image = png(2, 1, &[0, 255, 0, 51, 0, 255, 204]);
    let planes = preprocessor(config.clone());
    let pixels = planes.pixels(&image, LIMITS).expect("an image");
    assert_eq!(planes.floats(&pixels), [1.0, -1.0, -0.5, 1.5, 0.1, 0.4]);
    let mut config = config;
    config["layout"] = json!("NHWC");
    assert_eq!(preprocessor(config).floats(&pixels), [1.0, -0.5, 0.1, -1.0, 1.5, 0.4]);
    let raw = preprocessor(json!({ "do_rescale": false }));
    assert!(raw.reads_bytes() && !planes.reads_bytes());
    assert_eq!(raw.bytes(&pixels), [255, 0, 0, 255, 51, 204]);
    assert_eq!(raw.floats(&pixels), [255.0, 0.0, 0.0, 255.0, 51.0, 204.0]);
}

#[test]
fn a_crop_is_the_middle_and_black_surrounds_a_smaller_image() {
    let rows = [0, 10, 10, 10, 20, 20, 20, 30, 30, 30].map(u8::from);
    for (width, expected) in [
        (1, vec![20]),
        (2, vec![10, 20]),
        (3, vec![10, 20, 30]),
        (4, vec![0, 10, 20, 30]),
        (6, vec![0, 0, 10, 20, 30, 0]),
    ] {
        let preprocessor =
            preprocessor(json!({ "do_center_crop": true, "crop_size": { "height": 1, "width": width } }));
        assert_eq!(preprocessor.size(), Some((1, width)));
        let pixels = preprocessor.pixels(&png(3, 1, &rows), LIMITS).expect("an image");
        let first_channel: Vec<_> = pixels.rgb().iter().step_by(3).copied().collect();
        assert_eq!(first_channel, expected, "{width}");
    }
}

#[test]
fn the_shortest_edge_is_resized_in_proportion_and_never_beyond_the_limit() {
    let preprocessor = preprocessor(json!({ "size": { "shortest_edge": 20 }, "resample": 2 }));
    assert_eq!(preprocessor.size(), None);
    let pixels = preprocessor.pixels(&file("rgb.png"), LIMITS).expect("an image");
    assert_eq!((pixels.height(), pixels.width()), (20, 28));
    let thread = png(1, 5000, &[0; 4 * 5000]);
    assert_eq!(preprocessor.pixels(&thread, LIMITS), Err(ImageError::TooLong { limit: 4096 }));
}

#[test]
fn a_truncated_image_is_refused_wherever_it_ends() {
    for name in [
        "rgb.png",
        "palette.png",
        "baseline.jpg",
        "subsampled.jpg",
        "progressive.jpg",
        "luma.jpg",
        "lossy.webp",
        "lossless.webp",
        "lossy-alpha.webp",
    ] {
        let whole = file(name);
        for end in 0..whole.len() {
            let error = decode(&whole[..end]).expect_err(&format!("{name} of {end} bytes"));
            let expected = match end {
                0 => matches!(error, ImageError::Empty),
                1..12 => {
                    matches!(error, ImageError::UnknownFormat | ImageError::Truncated(_) | ImageError::Invalid(..))
                }
                _ => matches!(error, ImageError::Truncated(_) | ImageError::Invalid(..)),
            };
            assert!(expected, "{name} of {end} bytes: {error:?}");
        }
    }
}

#[test]
fn the_announced_size_is_checked_before_decoding() {
    let too_many = |width, height| Err(ImageError::TooManyPixels { width, height, limit: LIMITS.pixels });
    assert_eq!(decode(&png(30_000, 30_000, &[0])), too_many(30_000, 30_000));
    // Their product does not fit in 32 bits.
    assert_eq!(decode(&png(0x7fff_ffff, 0x7fff_ffff, &[0])), too_many(0x7fff_ffff, 0x7fff_ffff));
    let mut jpeg = file("baseline.jpg");
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a frame");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x75, 0x30, 0x75, 0x30]);
    assert_eq!(decode(&jpeg), too_many(30_000, 30_000));
    let mut webp = file("lossless.webp");
    webp[21..25].copy_from_slice(&[0xfe, 0xbf, 0xff, 0x0f]);
    assert_eq!(decode(&webp), too_many(16_383, 16_383));
    // The extended header announces the small size, the lossy image within a large one.
    let mut webp = file("lossy-alpha.webp");
    let chunk = webp.windows(4).position(|name| name == b"VP8 ").expect("a chunk");
    webp[chunk + 14..chunk + 18].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]);
    assert_eq!(decode(&webp), too_many(16_383, 16_383));
    let limits = Limits { bytes: 100, pixels: 1 };
    let pixels = preprocessor(json!({})).pixels(&file("rgb.png"), limits);
    assert_eq!(pixels, Err(ImageError::TooManyBytes { bytes: file("rgb.png").len(), limit: 100 }));
}

#[test]
fn a_file_has_a_byte_for_every_512_pixels_beyond_the_first_quarter_of_a_million() {
    let few = |width, height, bytes| Err(ImageError::TooFewBytes { width, height, bytes });
    let announced = png(1_000, 1_000, &[0]);
    assert_eq!(decode(&announced), few(1_000, 1_000, announced.len()));
    let rows = |width: usize, height: usize| vec![0; (1 + 3 * width) * height];
    assert!(decode(&png(512, 512, &rows(512, 512))).is_ok());
    assert!(decode(&png(1_000, 1_000, &rows(1_000, 1_000))).is_ok(), "of one colour");
    let mut webp = file("lossless.webp");
    webp[21..25].copy_from_slice(&[0x13, 0xc5, 0x12, 0x01]);
    let limits = Limits { pixels: 1 << 24, ..LIMITS };
    assert_eq!(preprocessor(json!({})).pixels(&webp, limits), few(1_300, 1_100, webp.len()));
    // Each scan of a progressive image visits its pixels again.
    let mut jpeg = file("progressive.jpg");
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc2]).expect("a frame");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x01, 0xf4, 0x01, 0xf4]);
    let last_scan = jpeg.windows(2).rposition(|marker| marker == [0xff, 0xda]).expect("a scan");
    assert!(!matches!(decode(&jpeg), Err(ImageError::TooFewBytes { .. })));
    let (end, header) = (jpeg.len() - 2, jpeg[last_scan..last_scan + 10].to_vec());
    (0..85).for_each(|_| drop(jpeg.splice(end..end, header.iter().copied())));
    assert_eq!(decode(&jpeg), few(500, 500, jpeg.len()));
}

#[test]
fn a_file_that_inflates_to_more_than_its_rows_costs_no_more_than_its_pixels() {
    // 256 MiB of zeros in 256 KiB.
    let bomb = png(16, 16, &vec![0; 256 << 20]);
    assert!(bomb.len() < LIMITS.bytes);
    // The bytes behind the last row are not read.
    let pixels = decode(&bomb).map(|pixels| pixels.rgb().len());
    assert!(matches!(pixels, Ok(768) | Err(ImageError::Invalid(Format::Png, _))), "{pixels:?}");
}

#[test]
fn what_is_not_decoded_is_refused_by_name() {
    for name in ["other.gif", "rgb.rgb"] {
        assert_eq!(decode(&file(name)), Err(ImageError::UnknownFormat), "{name}");
    }
    assert_eq!(decode(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), Err(ImageError::UnknownFormat));
    for (name, kind) in [("animated.webp", "animated WebP images"), ("16-bit-gray.png", "16-bit grayscale PNG images")]
    {
        assert_eq!(decode(&file(name)), Err(ImageError::Unsupported(kind)), "{name}");
    }
    let mut twelve_bits = file("baseline.jpg");
    let frame = twelve_bits.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a frame");
    twelve_bits[frame + 1] = 0xc1;
    twelve_bits[frame + 4] = 12;
    assert_eq!(decode(&twelve_bits), Err(ImageError::Unsupported("JPEG images with more than 8 bits")));
}

#[test]
fn an_image_of_many_scans_is_refused() {
    let image = file("progressive.jpg");
    let last_scan = image.windows(2).rposition(|marker| marker == [0xff, 0xda]).expect("a scan");
    let end = image.len() - 2;
    let mut many = image[..end].to_vec();
    for _ in 0..100 {
        many.extend(&image[last_scan..end]);
    }
    many.extend(&image[end..]);
    assert_eq!(decode(&many), Err(ImageError::Unsupported("JPEG images with more than 100 scans")));
}

#[test]
fn damage_is_an_error() {
    let mut png = file("rgb.png");
    let middle = png.len() / 2;
    png[middle] ^= 1;
    assert!(matches!(decode(&png), Err(ImageError::Invalid(Format::Png, _))));
    assert!(matches!(decode(&self::png(0, 5, &[])), Err(ImageError::Invalid(Format::Png, _))));
    assert!(matches!(
        decode(&self::png(5, 5, &[0; 10])),
        Err(ImageError::Invalid(Format::Png, _) | ImageError::Truncated(_))
    ));
    let mut jpeg = file("baseline.jpg");
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a frame");
    jpeg[frame + 7..frame + 9].fill(0);
    assert!(matches!(decode(&jpeg), Err(ImageError::Invalid(Format::Jpeg, _))));
}

#[test]
fn random_damage_never_panics() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let preprocessor = preprocessor(json!({ "size": { "shortest_edge": 24 }, "resample": 3 }));
    for name in images() {
        let whole = file(&name);
        for _ in 0..200 {
            let mut damaged = whole.clone();
            for _ in 0..=random(4) {
                let at = random(damaged.len());
                match random(3) {
                    0 => damaged[at] = random(256) as u8,
                    1 => drop(damaged.drain(at..at + random(8).min(damaged.len() - at))),
                    _ => damaged.insert(at, random(256) as u8),
                }
            }
            // Any answer will do; the size is limited, so that an altered one does not slow the test.
            let _ = preprocessor.pixels(&damaged, Limits { bytes: 1 << 20, pixels: 1 << 16 });
        }
    }
}

#[test]
fn configurations_of_image_processors_are_read() {
    let clip = json!({
        "crop_size": { "height": 224, "width": 224 }, "do_center_crop": true, "do_convert_rgb": true, "do_normalize": true,
        "do_rescale": true, "do_resize": true, "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "rescale_factor": 0.00392156862745098,
        "size": { "shortest_edge": 224 },
    });
    assert_eq!(preprocessor(clip).size(), Some((224, 224)));
    let resnet = json!({
        "crop_pct": 0.875, "do_normalize": true, "do_rescale": true, "do_resize": true, "image_processor_type": "ConvNextImageProcessor",
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": { "shortest_edge": 224 },
    });
    assert_eq!(preprocessor(resnet).size(), Some((224, 224)));
    let vit = json!({
        "data_format": "channels_first", "device": null, "do_center_crop": null, "image_processor_type": "ViTImageProcessorFast",
        "resample": 2, "size": { "height": 384, "width": 320 },
    });
    assert_eq!(preprocessor(vit).size(), Some((384, 320)));
}

#[test]
fn a_configuration_that_would_give_other_pixels_is_refused() {
    let size = json!({ "height": 8, "width": 8 });
    for (config, problem) in [
        (json!({ "do_resize": true }), "`size` is missing, which `do_resize` needs"),
        (json!({ "size": size }), "`resample` is missing, which `do_resize` needs"),
        (json!({ "size": size, "resample": 6 }), "not 6"),
        (json!({ "size": 224, "resample": 2 }), "`size = 224` is ambiguous"),
        (json!({ "size": { "height": 8, "width": 0 }, "resample": 2 }), "sizes must be 1 to 4096 pixels, not 0"),
        (json!({ "size": { "shortest_edge": 5000 }, "resample": 2 }), "sizes must be 1 to 4096 pixels, not 5000"),
        (json!({ "size": { "longest_edge": 8 }, "resample": 2 }), "size"),
        (json!({ "size": { "shortest_edge": 8, "longest_edge": 9 }, "resample": 2 }), "size"),
        (json!({ "do_center_crop": true }), "`crop_size` is missing"),
        (json!({ "do_normalize": true, "image_std": 0.5 }), "`image_mean` is missing"),
        (json!({ "image_mean": 0.5, "image_std": [1, 0, 1] }), "`image_std` must not be 0"),
        (json!({ "do_pad": true }), "`do_pad` is not supported"),
        (json!({ "do_flip_channel_order": true }), "`do_flip_channel_order` is not supported"),
        (json!({ "do_convert_rgb": false }), "always converted to RGB"),
        (json!({ "image_processor_type": "LevitImageProcessor" }), "\"LevitImageProcessor\" is not supported"),
        (json!({ "layout": "CHW" }), "expected `NCHW` or `NHWC`"),
    ] {
        let error = try_preprocessor(config.clone()).expect_err(&config.to_string());
        assert!(error.contains(problem), "{config}: {error}");
    }
}
