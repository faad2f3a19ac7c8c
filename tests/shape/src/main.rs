//! Checks the shape of `src`: the length of files and functions, circles of files, and layers.
//!
//! `make lint` runs it. What is compiled for tests only doesn't count.

mod circles;
mod layers;
mod length;
mod names;
mod paths;
mod sources;
#[cfg(test)]
mod tests;
mod tree;
mod uses;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use sources::Sources;
use tree::Tree;

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    file: String,
    line: usize,
    /// What is wrong, and what to do about it.
    text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

fn main() -> ExitCode {
    match Sources::read(Path::new("src")).and_then(|sources| check(&sources)) {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            for fault in faults {
                eprintln!("{fault}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that breaks a rule in these sources.
fn check(sources: &Sources) -> Result<Vec<Fault>, String> {
    let tree = Tree::parse(sources)?;
    let uses = uses::between_files(&tree);
    let mut faults = length::faults(&tree);
    faults.extend(circles::faults(&tree, &uses));
    faults.extend(layers::faults(&tree, &uses));
    faults.sort();
    Ok(faults)
}
