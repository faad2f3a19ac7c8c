//! The length of files and functions.

use syn::visit::{self, Visit};
use syn::{Block, Ident, ImplItemFn, ItemFn, TraitItemFn};

use crate::Fault;
use crate::tree::{Tree, is_for_tests};

const MOST_LINES_OF_A_FILE: usize = 400;
const MOST_LINES_OF_A_FUNCTION: usize = 60;

/// Files and functions that are too long.
pub(crate) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in tree
        .files
        .iter()
        .filter(|file| file.lines > MOST_LINES_OF_A_FILE)
    {
        faults.push(Fault {
            file: file.path.clone(),
            line: 1,
            text: format!(
                "{} lines, at most {MOST_LINES_OF_A_FILE} are allowed: split it by purpose",
                file.lines
            ),
        });
    }
    for module in &tree.modules {
        let mut functions = Functions {
            file: tree.path(module.file),
            faults: &mut faults,
        };
        for item in &module.items {
            functions.visit_item(item);
        }
    }
    faults
}

struct Functions<'a> {
    file: &'a str,
    faults: &'a mut Vec<Fault>,
}

impl Functions<'_> {
    /// Counts what is between the braces.
    fn measure(&mut self, name: &Ident, body: &Block) {
        let braces = body.brace_token.span;
        let lines = (braces.close().start().line - braces.open().end().line).saturating_sub(1);
        if lines > MOST_LINES_OF_A_FUNCTION {
            self.faults.push(Fault {
                file: self.file.to_owned(),
                line: name.span().start().line,
                text: format!(
                    "`{name}` has {lines} lines, at most {MOST_LINES_OF_A_FUNCTION} are allowed: \
                     give a part of it a name of its own"
                ),
            });
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !function.attrs.iter().any(is_for_tests) {
            self.measure(&function.sig.ident, &function.block);
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !function.attrs.iter().any(is_for_tests) {
            self.measure(&function.sig.ident, &function.block);
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.sig.ident, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}
