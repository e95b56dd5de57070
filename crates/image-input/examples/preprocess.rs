//! Preprocesses image files, so that another program can compare the result.
//!
//! ```text
//! preprocess CONFIG.json FILE...
//! ```
//!
//! For each file, writes the tensor to `FILE.tensor` (little-endian `f32`, or bytes if the configuration does not change the values) and
//! prints `FILE`, a tab, and `HEIGHT WIDTH` or the error.

use std::{env, fs};

use image_input::{Limits, Preprocessor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let config = fs::read(arguments.next().ok_or("the configuration is missing")?)?;
    let preprocessor = Preprocessor::from_config(serde_json::from_slice(&config)?)?;
    for path in arguments {
        match preprocessor.pixels(&fs::read(&path)?, Limits { bytes: 64 << 20, pixels: 1 << 24 }) {
            Ok(pixels) => {
                let tensor = if preprocessor.reads_bytes() {
                    preprocessor.bytes(&pixels)
                } else {
                    preprocessor.floats(&pixels).iter().flat_map(|number| number.to_le_bytes()).collect()
                };
                fs::write(format!("{path}.tensor"), tensor)?;
                println!("{path}\t{} {}", pixels.height(), pixels.width());
            }
            Err(error) => println!("{path}\t{error}"),
        }
    }
    Ok(())
}
