//! Compresses the files of the documentation and of the dashboard, and generates the Rust tables of them.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use pulldown_cmark::{Event, Parser, Tag, TagEnd, html};

use crate::short_digest;

/// The placeholder in `errors.html` for the rendered `errors.md`.
const CONTENT: &str = "<!-- content -->";

/// Writes each file, gzipped, and the tables `assets.rs` and `dashboard.rs` to `out`.
pub(crate) fn embed(root: &Path, out: &Path) {
    let mut assets: Vec<(String, Vec<u8>)> = Vec::new();
    for file in sorted_files(&root.join("assets/docs")) {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a file name in UTF-8").to_owned();
        let bytes = read(&file);
        match name.as_str() {
            "index.html" => assets.push(("/docs".to_owned(), bytes)),
            "errors.html" => {
                let page = String::from_utf8(bytes).expect("errors.html is UTF-8");
                assert!(page.contains(CONTENT), "errors.html has no {CONTENT}");
                let text = String::from_utf8(read(&root.join("docs/errors.md"))).expect("errors.md is UTF-8");
                assets.push(("/docs/errors".to_owned(), page.replace(CONTENT, &rendered(&text)).into_bytes()));
            }
            _ => assets.push((format!("/docs/{name}"), bytes)),
        }
    }
    write_table(out, "assets.rs", assets);
    let mut dashboard: Vec<_> = sorted_files(&root.join("assets/dashboard"))
        .into_iter()
        .map(|file| match file.file_name().and_then(|name| name.to_str()).expect("a file name in UTF-8") {
            "index.html" => ("/dashboard".to_owned(), read(&file)),
            name => (format!("/dashboard/{name}"), read(&file)),
        })
        .collect();
    // The same look as the documentation.
    for name in ["page.css", "icon.svg"] {
        dashboard.push((format!("/dashboard/{name}"), read(&root.join("assets/docs").join(name))));
    }
    write_table(out, "dashboard.rs", dashboard);
}

fn write_table(out: &Path, name: &str, mut assets: Vec<(String, Vec<u8>)>) {
    assets.sort();
    let mut table = String::from("[\n");
    for (path, bytes) in &assets {
        let file = out.join(format!("{}.gz", path.trim_start_matches('/').replace('/', "-")));
        fs::write(&file, gzipped(bytes))
            .unwrap_or_else(|error| panic!("{} cannot be written: {error}", file.display()));
        let (content_type, digest) = (content_type(path), short_digest(bytes));
        writeln!(
            table,
            "Asset {{ path: {path:?}, content_type: {content_type:?}, etag: Cow::Borrowed(\"\\\"{digest}\\\"\"), \
             gzip_etag: Cow::Borrowed(\"\\\"{digest}-gz\\\"\"), gzipped: Bytes::from_static(include_bytes!({file:?})), \
             inflated: OnceLock::new() }},"
        )
        .expect("writing to a String does not fail");
    }
    table.push(']');
    fs::write(out.join(name), table).expect("OUT_DIR is writable");
}

fn sorted_files(folder: &Path) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{} cannot be read: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

fn read(file: &Path) -> Vec<u8> {
    println!("cargo::rerun-if-changed={}", file.display());
    fs::read(file).unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()))
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("writing to a Vec does not fail");
    encoder.finish().expect("writing to a Vec does not fail")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        None => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some(other) => panic!("{path}: unknown media type for .{other}"),
    }
}

/// Renders Markdown as HTML. A heading that is a single code span, as for each error, gets its text as the id.
fn rendered(markdown: &str) -> String {
    let mut events: Vec<_> = Parser::new_ext(markdown, pulldown_cmark::Options::ENABLE_TABLES).collect();
    for position in 0..events.len().saturating_sub(2) {
        if let [Event::Start(Tag::Heading { id, .. }), Event::Code(name), Event::End(TagEnd::Heading(_))] =
            &mut events[position..position + 3]
        {
            *id = Some(name.clone());
        }
    }
    let mut page = String::new();
    html::push_html(&mut page, events.into_iter());
    // Scrollable blocks must be reachable by keyboard.
    page.replace("<pre>", "<pre tabindex=\"0\">")
}
