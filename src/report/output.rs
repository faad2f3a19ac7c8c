//! Output: lines of spans, tables, JSON and YAML.
//!
//! Names, reasons and messages come from the cluster, where anybody may have written
//! them. Every text passes [`clean`] here and nowhere else, so none can move the cursor,
//! hide a line or set a colour.

use std::fmt::{self, Write as _};

use serde::Serialize;
use serde_json::Value;

/// Tone of a text, which becomes a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Text without a colour.
    #[default]
    Plain,
    /// A name to look for.
    Strong,
    /// Something that is well.
    Good,
    /// Something that is under way.
    Busy,
    /// Something that somebody has to look at.
    Bad,
    /// Something of little importance.
    Faint,
}

/// Text that can't act on a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Span {
    tone: Tone,
    text: String,
}

/// One line of output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<Span>);

/// Lines of output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page(Vec<Line>);

/// Rows with aligned columns, in kubectl's style.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<Line>>,
}

/// Gap between two columns.
const GAP: usize = 3;

/// Replaces characters that could act on a terminal: control characters, including line
/// breaks, and those that reverse or hide text.
#[must_use]
pub fn clean(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars()
        .map(|c| if acts(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Writes a report as JSON, with every text [cleaned](clean).
///
/// # Errors
/// When it can't be written as such.
pub fn json(report: &impl Serialize) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(report)?;
    clean_value(&mut value);
    Ok(value)
}

fn clean_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(items) => items.iter_mut().for_each(clean_value),
        Value::Object(fields) => {
            *fields = std::mem::take(fields)
                .into_iter()
                .map(|(name, mut value)| {
                    clean_value(&mut value);
                    (clean(&name), value)
                })
                .collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

// === impl Tone ===

impl Tone {
    /// Parameters of the escape sequence that sets the colour.
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Good => Some("32"),
            Self::Busy => Some("33"),
            Self::Bad => Some("31"),
            Self::Faint => Some("2"),
        }
    }
}

// === impl Line ===

impl Line {
    /// A line with one text.
    pub fn of(tone: Tone, text: impl fmt::Display) -> Self {
        Self::default().then(tone, text)
    }

    /// Plain text.
    pub fn plain(text: impl fmt::Display) -> Self {
        Self::of(Tone::Plain, text)
    }

    /// Adds text.
    #[must_use]
    pub fn then(mut self, tone: Tone, text: impl fmt::Display) -> Self {
        let text = clean(&text.to_string());
        if !text.is_empty() {
            self.0.push(Span { tone, text });
        }
        self
    }

    /// Adds text after two spaces, unless it is empty.
    #[must_use]
    pub fn beside(self, tone: Tone, text: impl fmt::Display) -> Self {
        self.beside_line(Self::of(tone, text))
    }

    /// Adds the spans of another line after two spaces, unless it is empty.
    #[must_use]
    pub fn beside_line(self, other: Self) -> Self {
        match other.is_empty() {
            true => self,
            false => self.then(Tone::Plain, "  ").join(other),
        }
    }

    /// Adds the spans of another line.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Returns whether the line has no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn width(&self) -> usize {
        self.0.iter().map(|span| span.text.chars().count()).sum()
    }

    fn write(&self, colours: bool, out: &mut String) {
        for Span { tone, text } in &self.0 {
            // Writing to a String doesn't fail.
            let _ = match tone.code().filter(|_| colours) {
                Some(code) => write!(out, "\u{1b}[{code}m{text}\u{1b}[0m"),
                None => out.write_str(text),
            };
        }
    }
}

// === impl Page ===

impl Page {
    /// Adds a line.
    pub fn push(&mut self, line: Line) {
        self.0.push(line);
    }

    /// Adds an empty line, a heading and the lines under it.
    pub fn section(&mut self, heading: &str, lines: Self) {
        if lines.0.is_empty() {
            return;
        }
        self.push(Line::default());
        self.push(Line::of(Tone::Strong, heading));
        for line in lines.0 {
            self.push(Line::plain("  ").join(line));
        }
    }

    /// Adds the lines of another page.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The lines, each with its end.
    #[must_use]
    pub fn text(&self, colours: bool) -> String {
        let mut out = String::new();
        for line in &self.0 {
            line.write(colours, &mut out);
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
        }
        out
    }
}

impl FromIterator<Line> for Page {
    fn from_iter<I: IntoIterator<Item = Line>>(lines: I) -> Self {
        Self(lines.into_iter().collect())
    }
}

// === impl Table ===

impl Table {
    /// Makes a table with these headings.
    #[must_use]
    pub fn new<'a>(headings: impl IntoIterator<Item = &'a str>) -> Self {
        let headings = headings.into_iter().map(Line::plain).collect();
        Self {
            rows: vec![headings],
        }
    }

    /// Makes a table without headings.
    #[must_use]
    pub fn bare() -> Self {
        Self::default()
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Line>) {
        self.rows.push(row);
    }

    /// The rows, with aligned columns.
    #[must_use]
    pub fn lines(self) -> Page {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(Line::width).max().unwrap_or(0)
            })
            .collect();
        let align = |row: Vec<Line>| {
            let mut line = Line::default();
            let mut gap = 0;
            for (cell, width) in row.into_iter().zip(&widths) {
                let after = width - cell.width() + GAP;
                line = line.then(Tone::Plain, " ".repeat(gap)).join(cell);
                gap = after;
            }
            line
        };
        self.rows.into_iter().map(align).collect()
    }
}

#[cfg(test)]
mod tests;
