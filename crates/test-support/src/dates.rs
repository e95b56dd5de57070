//! A package of dates, whose graph returns what it reads.

use model_package::Precision;
use predict_once::model::Package;

use crate::{onnx::Onnx, packages::package};

/// Two dates and a time.
pub fn dates() -> Package {
    let graph = Onnx::of(Precision::Float64, 3)
        .constant("instead", &[1], &[-1e6])
        .node("IsNaN", &["x"], "is_nan", &[])
        .node("Where", &["is_nan", "instead", "x"], "y", &[])
        .file("y", 3);
    package(DATES, graph)
}

const DATES: &str = r#"
name = "dates"
title = "Dates"
description = "Days and seconds since 1970, as the graph reads them."

[[fields]]
name = "due"
type = "date"
description = "When it is due."
minimum = "1900-03-01"
maximum = "2099-12-31"
example = "2026-11-30"

[[fields]]
name = "paid"
type = "date"
required = false
missing = "nan"

[[fields]]
name = "sent_at"
type = "datetime"
example = "2026-11-30T09:15:00+01:00"

[[predictions]]
name = "numbers"
endpoint = "numbers"
summary = "What the graph reads"
kind = "values"
outputs = [0, 1, 2]
values = ["due", "paid", "sent_at"]

[[examples]]
name = "typical"
summary = "A winter's day"
input = { due = "2026-11-30", sent_at = "2026-11-30T09:15:00+01:00" }

[[examples]]
name = "seconds"
summary = "A number in place of a time"
valid = false
input = { due = "2026-11-30", sent_at = 1796026500 }
"#;
