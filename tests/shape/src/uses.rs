//! Which file uses which, and where.
//!
//! A path leads to the file that defines what it names, through all re-exports. So a `mod.rs` that
//! only declares and re-exports is used by nobody and uses nobody.

use std::collections::BTreeMap;

use crate::names::Name;
use crate::paths::mentioned;
use crate::tree::Tree;

/// The first line on which a file uses another, for each pair.
pub(crate) type Uses = BTreeMap<(usize, usize), usize>;

/// The names that are being looked up: `use tokio::tokio` must not look for itself for ever.
type Busy = Vec<(usize, String)>;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Module(usize),
    /// Something that the module defines.
    ItemOf(usize),
}

/// Everything that files use of each other.
pub(crate) fn between_files(tree: &Tree) -> Uses {
    let mut uses = Uses::new();
    for (index, module) in tree.modules.iter().enumerate() {
        let imports = module
            .names
            .private
            .iter()
            .map(|import| (&import.path, import.line));
        let mentions = mentioned(&module.items);
        let mentions = mentions.iter().map(|mention| (&mention.path, mention.line));
        for (path, line) in imports.chain(mentions) {
            for target in resolve(tree, index, path, &mut Vec::new()) {
                // The name of a module alone is no use of anything in it.
                let Target::ItemOf(used) = target else {
                    continue;
                };
                let (from, to) = (module.file, tree.modules[used].file);
                if from != to {
                    let first = uses.entry((from, to)).or_insert(line);
                    *first = line.min(*first);
                }
            }
        }
    }
    uses
}

/// What a path leads to, as written in the module; nothing where that is another crate's.
fn resolve(tree: &Tree, module: usize, path: &[String], busy: &mut Busy) -> Vec<Target> {
    let Some((first, rest)) = path.split_first() else {
        return vec![Target::Module(module)];
    };
    let parent = tree.modules[module].parent;
    match first.as_str() {
        "crate" => follow(tree, Target::Module(tree.root(module)), rest, busy),
        "self" => follow(tree, Target::Module(module), rest, busy),
        "super" => parent.map_or_else(Vec::new, |parent| follow_up(tree, parent, rest, busy)),
        name => {
            let found = lookup(tree, module, name, busy);
            follow_each(tree, found, rest, busy)
        }
    }
}

/// What is after `super`, which may be followed by others.
fn follow_up(tree: &Tree, module: usize, rest: &[String], busy: &mut Busy) -> Vec<Target> {
    match rest.split_first() {
        Some((next, _)) if next == "super" => resolve(tree, module, rest, busy),
        _ => follow(tree, Target::Module(module), rest, busy),
    }
}

/// What the rest of a path leads to.
fn follow(tree: &Tree, start: Target, rest: &[String], busy: &mut Busy) -> Vec<Target> {
    let (Target::Module(module), Some((name, rest))) = (start, rest.split_first()) else {
        return vec![start];
    };
    let mut found = lookup(tree, module, name, busy);
    if found.is_empty() {
        // A macro has defined it.
        found.push(Target::ItemOf(module));
    }
    follow_each(tree, found, rest, busy)
}

fn follow_each(tree: &Tree, starts: Vec<Target>, rest: &[String], busy: &mut Busy) -> Vec<Target> {
    let mut found = Vec::new();
    for start in starts {
        found.extend(follow(tree, start, rest, busy));
    }
    found
}

/// What a name in a module leads to.
fn lookup(tree: &Tree, module: usize, name: &str, busy: &mut Busy) -> Vec<Target> {
    if busy.contains(&(module, name.to_owned())) {
        return Vec::new();
    }
    busy.push((module, name.to_owned()));
    let names = &tree.modules[module].names;
    let mut found = Vec::new();
    for meaning in names.get(name) {
        match meaning {
            Name::Module(child) => found.push(Target::Module(*child)),
            Name::Item => found.push(Target::ItemOf(module)),
            Name::Import(path) => found.extend(resolve(tree, module, path, busy)),
        }
    }
    if found.is_empty() {
        for glob in &names.globs {
            for target in resolve(tree, module, glob, busy) {
                if let Target::Module(other) = target {
                    found.extend(lookup(tree, other, name, busy));
                }
            }
        }
    }
    busy.pop();
    found
}
