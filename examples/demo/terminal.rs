//! What the demo prints.

use std::io::IsTerminal as _;

/// Columns of a line, and of what stands before the last part of a row.
const WIDTH: usize = 100;
const WHAT: usize = 11;
const NAME: usize = 22;

/// Standard output, in colours where those are wanted.
pub(crate) struct Terminal {
    colours: bool,
}

/// How a line's first word is shown.
#[derive(Clone, Copy)]
pub(crate) enum Colour {
    /// Something was rolled.
    Green,
    /// Something is held or old.
    Yellow,
    /// Nothing happened.
    Dim,
}

impl Terminal {
    /// Colours need a terminal, and nobody who asks for none (<https://no-color.org>).
    pub(crate) fn new() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colours: std::io::stdout().is_terminal() && !refused,
        }
    }

    /// The title of what follows.
    pub(crate) fn heading(&self, title: &str) {
        println!("\n{}", self.paint("1", title));
    }

    /// A line of text.
    pub(crate) fn say(&self, text: &str) {
        println!("   {text}");
    }

    /// A command, as one would type it.
    pub(crate) fn command(&self, command: &str) {
        println!("   {}", self.paint("36", &format!("$ {command}")));
    }

    /// What became of a workload, or of several.
    pub(crate) fn row(&self, colour: Colour, what: &str, names: &str, why: &str) {
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Dim => "2",
        };
        let what = self.paint(code, &format!("{what:<WHAT$}"));
        let margin = " ".repeat(3 + WHAT + 1 + NAME + 1);
        let mut lines = wrap(why, WIDTH - margin.len()).into_iter();
        let first = if names.len() <= NAME {
            lines.next().unwrap_or_default()
        } else {
            String::new()
        };
        println!("   {what} {}", format!("{names:<NAME$} {first}").trim_end());
        for line in lines {
            println!("{margin}{line}");
        }
    }

    /// That something went wrong.
    pub(crate) fn failure(&self, text: &str) {
        eprintln!("\n{} {text}", self.paint("31", "FAILED"));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Breaks a text between words into lines of at most `width`.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
