//! The production modules, in the files that hold them.
//!
//! The tree follows `mod` declarations from `src/lib.rs` and `src/main.rs`. A module under
//! `#[cfg(test)]` is no part of it.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Item, ItemMod};

use crate::names::{self, Name, Names};
use crate::sources::Sources;

/// The name by which the binary's file reaches the library.
const LIBRARY: &str = "projsync";

/// All production files and modules. The library's root is the first module.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) modules: Vec<Module>,
}

/// A parsed file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// As `src/core/mod.rs`.
    pub(crate) path: String,
    /// The number of its lines, without modules of tests.
    pub(crate) lines: usize,
}

/// A module, in a file of its own or inline.
pub(crate) struct Module {
    pub(crate) file: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) items: Vec<Item>,
    pub(crate) names: Names,
}

/// Where the files of a module's children are, and who their parent is.
struct Place<'a> {
    file: usize,
    parent: Option<usize>,
    children: &'a str,
}

impl Tree {
    /// The tree of `src/lib.rs`, and of `src/main.rs` where there is one.
    pub(crate) fn parse(sources: &Sources) -> Result<Self, String> {
        let mut tree = Self::default();
        tree.file(sources, "src/lib.rs", "src", None)?;
        if sources.0.contains_key("src/main.rs") {
            let main = tree.file(sources, "src/main.rs", "src", None)?;
            tree.modules[main].names.add(LIBRARY, Name::Module(0));
        }
        Ok(tree)
    }

    fn file(
        &mut self,
        sources: &Sources,
        path: &str,
        children: &str,
        parent: Option<usize>,
    ) -> Result<usize, String> {
        let text = sources
            .0
            .get(path)
            .ok_or_else(|| format!("{path} is missing"))?;
        let parsed = syn::parse_file(text)
            .map_err(|error| format!("{path}:{}: {error}", error.span().start().line))?;
        let tests: usize = parsed.items.iter().filter_map(lines_of_tests).sum();
        let file = self.files.len();
        self.files.push(SourceFile {
            path: path.to_owned(),
            lines: text.lines().count() - tests,
        });
        let place = Place {
            file,
            parent,
            children,
        };
        self.module(sources, parsed.items, &place)
    }

    fn module(
        &mut self,
        sources: &Sources,
        items: Vec<Item>,
        place: &Place<'_>,
    ) -> Result<usize, String> {
        let items: Vec<Item> = items
            .into_iter()
            .filter(|item| !names::attributes(item).iter().any(is_for_tests))
            .collect();
        let module = self.modules.len();
        self.modules.push(Module {
            file: place.file,
            parent: place.parent,
            names: Names::of(&items),
            items: Vec::new(),
        });
        let (children, items): (Vec<Item>, Vec<Item>) = items
            .into_iter()
            .partition(|item| matches!(item, Item::Mod(_)));
        for child in children {
            if let Item::Mod(child) = child {
                let name = child.ident.to_string();
                let child = self.child(sources, child, module, place)?;
                self.modules[module].names.add(&name, Name::Module(child));
            }
        }
        self.modules[module].items = items;
        Ok(module)
    }

    fn child(
        &mut self,
        sources: &Sources,
        child: ItemMod,
        parent: usize,
        place: &Place<'_>,
    ) -> Result<usize, String> {
        let children = format!("{}/{}", place.children, child.ident);
        if let Some((_, items)) = child.content {
            let place = Place {
                file: place.file,
                parent: Some(parent),
                children: &children,
            };
            return self.module(sources, items, &place);
        }
        let folder = format!("{children}/mod.rs");
        let path = if sources.0.contains_key(&folder) {
            folder
        } else {
            format!("{children}.rs")
        };
        self.file(sources, &path, &children, Some(parent))
    }

    /// The root of the crate that the module is part of.
    pub(crate) fn root(&self, module: usize) -> usize {
        self.modules[module]
            .parent
            .map_or(module, |parent| self.root(parent))
    }

    /// The path of a file.
    pub(crate) fn path(&self, file: usize) -> &str {
        &self.files[file].path
    }
}

/// Whether what has the attribute is compiled for tests only.
pub(crate) fn is_for_tests(attribute: &Attribute) -> bool {
    let mentions = |tokens: TokenStream, word: &str| {
        tokens
            .into_iter()
            .any(|token| matches!(token, TokenTree::Ident(ident) if ident == word))
    };
    attribute.path().is_ident("cfg")
        && attribute
            .meta
            .require_list()
            .is_ok_and(|list| mentions(list.tokens.clone(), "test"))
}

/// The lines of an inline module of tests.
fn lines_of_tests(item: &Item) -> Option<usize> {
    let Item::Mod(module) = item else { return None };
    let first = module
        .attrs
        .iter()
        .find(|attribute| is_for_tests(attribute))?;
    let (brace, _) = module.content.as_ref()?;
    let (start, end) = (first.pound_token.span.start(), brace.span.close().end());
    Some(end.line - start.line + 1)
}
