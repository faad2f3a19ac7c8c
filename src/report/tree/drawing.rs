//! Lines of a tree.

use crate::report::output::{Line, Page, Tone};

/// A line and the lines below it.
pub(super) struct Node {
    pub(super) line: Line,
    pub(super) below: Vec<Node>,
}

impl Node {
    pub(super) fn leaf(line: Line) -> Self {
        let below = Vec::new();
        Self { line, below }
    }

    pub(super) fn page(self) -> Page {
        let mut page = Page::default();
        page.push(self.line);
        draw(self.below, "", &mut page);
        page
    }
}

fn draw(nodes: Vec<Node>, indent: &str, page: &mut Page) {
    let last = nodes.len().saturating_sub(1);
    for (index, node) in nodes.into_iter().enumerate() {
        let (branch, below) = match index == last {
            true => ("└─ ", "   "),
            false => ("├─ ", "│  "),
        };
        let line = Line::of(Tone::Faint, format!("{indent}{branch}"));
        page.push(line.join(node.line));
        draw(node.below, &format!("{indent}{below}"), page);
    }
}
