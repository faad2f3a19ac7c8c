//! The paths that code mentions: in types, expressions, macros and attributes.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, ItemUse, Macro, Path, Stmt};

use crate::names::attributes;
use crate::tree::is_for_tests;

/// A path as it is written.
#[derive(Debug)]
pub(crate) struct Mention {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// All paths that these items mention outside `use` declarations.
pub(crate) fn mentioned(items: &[Item]) -> Vec<Mention> {
    let mut found = Found::default();
    for item in items {
        found.visit_item(item);
    }
    found.0
}

#[derive(Default)]
struct Found(Vec<Mention>);

impl Found {
    fn add(&mut self, path: Vec<String>, span: Span) {
        self.0.push(Mention {
            path,
            line: span.start().line,
        });
    }

    /// Finds `a::b` in tokens that nobody has parsed. What follows a dot is a field or a method.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path: Option<(Vec<String>, Span)> = None;
        let (mut colons, mut after_dot) = (0, false);
        for token in tokens {
            let dot = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '.');
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) if !after_dot => match &mut path {
                    Some((segments, _)) if colons == 2 => segments.push(ident.to_string()),
                    _ => {
                        self.finish(path.take());
                        path = Some((vec![ident.to_string()], ident.span()));
                    }
                },
                TokenTree::Group(group) => {
                    self.finish(path.take());
                    self.scan(group.stream());
                }
                _ => self.finish(path.take()),
            }
            (colons, after_dot) = (0, dot);
        }
        self.finish(path);
    }

    fn finish(&mut self, path: Option<(Vec<String>, Span)>) {
        if let Some((path, span)) = path {
            self.add(path, span);
        }
    }

    /// Finds paths in strings: `#[serde(with = "crate::x")]`.
    fn scan_strings(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let path = syn::parse_str::<Path>(text.trim_matches('"'));
                    if let Some(path) = path.ok().filter(|_| text.starts_with('"')) {
                        self.add(segments(&path), literal.span());
                    }
                }
                TokenTree::Group(group) if group.delimiter() != Delimiter::None => {
                    self.scan_strings(group.stream());
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes(item).iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let for_tests = match item {
            ImplItem::Fn(item) => item.attrs.iter().any(is_for_tests),
            ImplItem::Const(item) => item.attrs.iter().any(is_for_tests),
            _ => false,
        };
        if !for_tests {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let for_tests =
            matches!(statement, Stmt::Local(local) if local.attrs.iter().any(is_for_tests));
        if !for_tests {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_item_use(&mut self, _: &'ast ItemUse) {}

    fn visit_path(&mut self, path: &'ast Path) {
        if let Some(first) = path.segments.first() {
            self.add(segments(path), first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.scan(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        self.visit_path(attribute.path());
        if let Ok(list) = attribute.meta.require_list() {
            self.scan(list.tokens.clone());
            self.scan_strings(list.tokens.clone());
        }
    }
}

fn segments(path: &Path) -> Vec<String> {
    path.segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect()
}
