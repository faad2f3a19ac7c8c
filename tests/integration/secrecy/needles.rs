//! Looking for bytes that must not be anywhere.

use anyhow::ensure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use testkit::Result;

/// How many letters of a value in a row are too many.
const WINDOW: usize = 8;

/// What must not be found anywhere: every part of every form of some values.
#[derive(Default)]
pub(super) struct Needles(Vec<(String, String)>);

impl Needles {
    pub(super) fn add(&mut self, value: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let mut forms = vec![
            STANDARD.encode(value),
            hex(value),
            // A digest without a key could be guessed from.
            hex(&Sha256::digest(value)),
        ];
        if let Ok(text) = str::from_utf8(value) {
            forms.push(text.to_owned());
        }
        for form in forms {
            for start in 0..form.len().saturating_sub(WINDOW) {
                self.0
                    .push((form[start..start + WINDOW].to_owned(), form.clone()));
            }
        }
        // As Debug shows bytes.
        for bytes in value.windows(5) {
            let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
            self.0.push((list.join(", "), format!("{value:?}")));
        }
    }

    fn found_in(&self, text: &str) -> Option<&(String, String)> {
        self.0.iter().find(|(needle, _)| text.contains(needle))
    }

    pub(super) fn assert_not_in(&self, what: &str, text: &str) -> Result {
        ensure!(!text.is_empty(), "{what} is empty");
        let line = |needle: &str| {
            text.lines()
                .find(|line| line.contains(needle))
                .map(str::to_owned)
        };
        match self.found_in(text) {
            None => Ok(()),
            Some((needle, form)) => {
                anyhow::bail!("{needle:?} of {form:?} is in {what}: {:?}", line(needle))
            }
        }
    }
}

#[test]
fn needles_are_found() {
    let mut needles = Needles::default();
    needles.add(b"correct-horse-battery");
    for text in [
        "say correct-horse-battery",
        "...ct-horse-b...",
        &STANDARD.encode("correct-horse-battery"),
        &format!("{:?}", b"correct-horse"),
        &format!("{:?}", b"correct-horse".to_vec()),
    ] {
        assert!(needles.found_in(text).is_some(), "{text}");
    }
    assert!(needles.found_in("a correct horse has a battery").is_none());
}

/// A value that occurs nowhere by chance.
pub(super) fn value(number: usize) -> String {
    let hash = Sha256::digest(format!("value {number}"));
    let text: String = hash
        .iter()
        .map(|byte| char::from(b'g' + byte % 20))
        .collect();
    format!("{text}-{number}")
}
