//! The links of the README and of `docs/`: each leads to a file of the repository, and to a heading that is in it.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The README, the changelog and every document.
fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).expect("there are documents");
    let docs = docs.map(|entry| entry.expect("the directory can be read").path());
    let markdown = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    markdown.chain(["README.md", "CHANGELOG.md"].map(|name| Path::new(ROOT).join(name))).collect()
}

/// The targets of the links in a text, but for those to other hosts.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://"))
}

/// The anchors of the headings in a text, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        kept.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut followed = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("it can be read");
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let directory = document.parent().expect("a file has a directory");
            let target = if file.is_empty() { document.clone() } else { directory.join(file) };
            assert!(target.exists(), "{link} in {}", document.display());
            if !anchor.is_empty() {
                let headings = anchors(&fs::read_to_string(&target).expect("an anchor is in a text"));
                assert!(headings.iter().any(|heading| heading == anchor), "{link} in {}", document.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 20, "only {followed} links were found");
}
