//! The repository's documents: no link is broken and no figure is missing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// Collects the Markdown files of a folder and its subfolders.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The anchor of each heading: lower case, with dashes for spaces and without other punctuation.
fn anchors(markdown: &str) -> Vec<String> {
    let mut anchors = Vec::new();
    let mut heading = None;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => anchors.extend(heading.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    let kept = text.chars().filter(|letter| letter.is_alphanumeric() || "_- ".contains(*letter));
                    heading.extend(
                        kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }),
                    );
                }
            }
            _ => {}
        }
    }
    anchors
}

#[test]
fn no_placeholder_for_measured_figures_is_empty() {
    let mut files = Vec::new();
    documents(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs"), &mut files);
    let mut places = 0;
    for file in files {
        for measured in read(&file).split("<!-- measured: ").skip(1) {
            places += 1;
            let figures = measured.split_once("-->").and_then(|(_, rest)| rest.split_once("<!-- end: "));
            let there = figures.is_some_and(|(figures, _)| figures.contains('|'));
            assert!(there, "{} has no figures for {}", file.display(), measured.lines().next().unwrap_or_default());
        }
    }
    assert!(places > 0, "{places} places");
}

#[test]
fn every_link_between_the_documents_leads_to_an_existing_file_and_heading() {
    let mut files = Vec::new();
    documents(Path::new(env!("CARGO_MANIFEST_DIR")), &mut files);
    let mut links = 0;
    for file in &files {
        // The introduction is shown at `/docs`, so its links are paths of the service.
        if file.ends_with("src/http/openapi/introduction.md") {
            continue;
        }
        for event in Parser::new(&read(file)) {
            let Event::Start(Tag::Link { dest_url, .. }) = event else { continue };
            if dest_url.contains("://") {
                continue;
            }
            links += 1;
            let (path, anchor) = dest_url.split_once('#').unwrap_or((&dest_url, ""));
            let target = if path.is_empty() { file.clone() } else { file.with_file_name(path) };
            assert!(target.exists(), "{} links to {dest_url}, which is not there", file.display());
            let there = anchor.is_empty() || anchors(&read(&target)).iter().any(|heading| heading == anchor);
            assert!(there, "{} links to {dest_url}, which has no such heading", file.display());
        }
    }
    assert!(links > 50, "{links} links in {} documents", files.len());
}
