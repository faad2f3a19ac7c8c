//! The documents: up to date, complete, and with no link that leads nowhere.

use std::path::{Path, PathBuf};

use super::*;

/// `make generate` writes them.
#[test]
fn the_committed_documents_are_what_is_generated() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (name, generated) in all(crate::cli::command("projsync")).unwrap() {
        let committed = fs::read_to_string(directory.join(name)).unwrap_or_default();
        assert!(
            committed == generated,
            "docs/{name} is old: run `make generate`"
        );
    }
}

#[test]
fn every_command_and_reason_is_in_them() {
    let [_, (_, cli), _, (_, reasons)] = all(crate::cli::command("projsync")).unwrap();
    for command in ["run", "crds", "status", "tree", "explain", "completions"] {
        assert!(
            cli.contains(&format!("\n### projsync {command}\n")),
            "{command}"
        );
    }
    assert!(!cli.contains("projsync docs"), "hidden");
    for reason in Reason::ALL {
        assert!(reasons.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn documents_do_not_depend_on_the_environment() {
    let [_, (_, cli), ..] = all(crate::cli::command("projsync")).unwrap();
    assert!(!cli.contains("[env: POD_NAMESPACE="), "no values");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents that people read, generated ones too.
fn documents() -> Vec<(PathBuf, String)> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let mut files: Vec<_> = docs.map(|entry| entry.unwrap().path()).collect();
    files.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name)));
    files.retain(|file| file.extension().is_some_and(|ending| ending == "md"));
    assert!(files.len() > 10, "{files:?}");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        (file, text)
    };
    files.into_iter().map(read).collect()
}

/// The anchors of a document: its headings as GitHub makes them, and those set by hand.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter_map(|line| {
        let heading = line.strip_prefix('#')?.trim_start_matches('#').trim();
        let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        let anchor: String = heading.chars().filter(kept).collect();
        Some(anchor.to_lowercase().replace(' ', "-"))
    });
    let by_hand = text.split("<a id=\"").skip(1);
    let by_hand = by_hand.map(|rest| rest.split('"').next().unwrap_or_default().to_owned());
    headings.chain(by_hand).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for (file, text) in documents() {
        let folder = file.parent().unwrap();
        // Not in code: a regular expression looks like a link.
        let text: Vec<_> = text.split('`').step_by(2).collect();
        for link in text.join("`").split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.clone(),
                path => folder.join(path),
            };
            assert!(target.exists(), "{}: {link}", file.display());
            let known = anchor.is_empty()
                || anchors(&fs::read_to_string(&target).unwrap()).contains(&anchor.to_owned());
            assert!(known, "{}: no such anchor: {link}", file.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count} links");
}

/// `src/core/plan/mod.rs` in a document is a file that there is, and so is `tests/core`;
/// `tests/integration/aba.rs::name` is a function in it.
#[test]
fn every_path_and_test_that_is_named_exists() {
    let mut count = 0;
    for (file, text) in documents() {
        for code in text.split('`').skip(1).step_by(2) {
            let folders = ["src/", "tests/", "config/", "docs/", "examples/"];
            let is_path = folders.iter().any(|folder| code.starts_with(folder))
                && !code.contains(['*', ' ', '<', '{', '\n']);
            if is_path {
                let (path, item) = code.split_once("::").unwrap_or((code, ""));
                assert!(root().join(path).exists(), "{}: {code}", file.display());
                let found = item.is_empty()
                    || fs::read_to_string(root().join(path))
                        .is_ok_and(|text| text.contains(&format!("fn {item}(")));
                assert!(found, "{}: {code}", file.display());
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count} paths");
}
