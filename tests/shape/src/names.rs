//! The names that a module has: its items, its children and its imports.

use std::collections::HashMap;

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, UseTree, Visibility};

use crate::tree::is_for_tests;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A child module.
    Module(usize),
    /// Something that the module defines.
    Item,
    /// Something of another module, by its path.
    Import(Vec<String>),
}

/// All names of a module. One name may stand for several things, such as a module and a function.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_name: HashMap<String, Vec<Name>>,
    /// Paths whose names are all imported.
    pub(crate) globs: Vec<Vec<String>>,
    /// What the module imports for itself.
    pub(crate) private: Vec<Imported>,
}

/// One path of a `use` declaration.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

impl Names {
    /// The names of a module with these items, without those of its child modules.
    pub(crate) fn of(items: &[Item]) -> Self {
        let mut names = Self::default();
        for item in items {
            if let Some(name) = defined(item) {
                names.add(&name, Name::Item);
            }
            names.visit_item(item);
        }
        names
    }

    /// Adds what a name stands for.
    pub(crate) fn add(&mut self, name: &str, meaning: Name) {
        self.by_name
            .entry(name.to_owned())
            .or_default()
            .push(meaning);
    }

    /// Everything that a name stands for.
    pub(crate) fn get(&self, name: &str) -> &[Name] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    fn import(&mut self, tree: &UseTree, path: &[String], private: bool) {
        match tree {
            UseTree::Path(tree) => {
                let path = joined(path, tree.ident.to_string());
                self.import(&tree.tree, &path, private);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path, private);
                }
            }
            UseTree::Glob(glob) => {
                self.globs.push(path.to_vec());
                self.note(path.to_vec(), glob.star_token.span, private);
            }
            UseTree::Name(name) if name.ident == "self" => {
                let last = path.last().cloned().unwrap_or_default();
                self.add(&last, Name::Import(path.to_vec()));
            }
            UseTree::Name(name) => {
                let path = joined(path, name.ident.to_string());
                self.add(&name.ident.to_string(), Name::Import(path.clone()));
                self.note(path, name.ident.span(), private);
            }
            UseTree::Rename(rename) => {
                let path = joined(path, rename.ident.to_string());
                self.add(&rename.rename.to_string(), Name::Import(path.clone()));
                self.note(path, rename.ident.span(), private);
            }
        }
    }

    fn note(&mut self, path: Vec<String>, span: Span, private: bool) {
        if private {
            self.private.push(Imported {
                path,
                line: span.start().line,
            });
        }
    }
}

/// Finds `use` declarations, also those in functions.
impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        if !matches!(item, Item::Mod(_)) && !attributes(item).iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&item.tree, &[], matches!(item.vis, Visibility::Inherited));
    }
}

fn joined(path: &[String], last: String) -> Vec<String> {
    path.iter().cloned().chain([last]).collect()
}

/// The name that an item defines.
fn defined(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// The attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
