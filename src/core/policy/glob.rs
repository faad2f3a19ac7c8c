//! Patterns of names, without a regular expression each: users write thousands of them.

use globset::Glob;

/// The most bytes of a pattern, as in the schema of policies.
const LONGEST: usize = 253;

/// A pattern that a whole name must match: `*` stands for any text, `?` for one character, `[a-c]`
/// and `[!a-c]` for one of several or of all others, `{a,b}` for either; `\` makes the next character
/// stand for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    steps: Box<[Step]>,
    classes: Box<[Class]>,
}

/// A step of a small machine that reads a name. Where it goes on, by its place among the steps.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Reads this byte.
    Byte(u8),
    /// Reads any byte.
    Any,
    /// Reads a byte of this class of the pattern.
    Class(u16),
    /// Goes on here and there.
    Split(u16, u16),
    /// Goes on there.
    Jump(u16),
}

/// Bytes that are, or are not, in one of the ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Class {
    among: bool,
    ranges: Box<[(u8, u8)]>,
}

// === impl Pattern ===

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// If a bracket or brace is left open, for example.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} characters"));
        }
        // Says what is wrong with one. Only what it has accepted is looked at below.
        Glob::new(pattern).map_err(|error| error.kind().to_string())?;
        // Stands for any folders of a path, and names have none.
        let rest = match pattern.trim_start_matches("**/") {
            "" if !pattern.is_empty() => b"*",
            rest => rest.as_bytes(),
        };
        let classes = Vec::new();
        let mut parser = Parser { rest, classes };
        let (parts, _) = parser.parts(false);
        let mut steps = Vec::new();
        assemble(parts, &mut steps);
        Ok(Self {
            steps: steps.into(),
            classes: parser.classes.into(),
        })
    }

    /// Whether a name matches. The time is linear in both.
    pub(super) fn matches(&self, name: &str) -> bool {
        let mut now = vec![false; self.steps.len() + 1];
        self.reach(0, &mut now);
        for byte in name.bytes() {
            let mut next = vec![false; self.steps.len() + 1];
            let reads = self.steps.iter().zip(&now).enumerate();
            for (at, _) in reads.filter(|(_, (step, here))| **here && self.reads(step, byte)) {
                self.reach(at + 1, &mut next);
            }
            now = next;
        }
        now.last().copied().unwrap_or_default()
    }

    fn reads(&self, step: &Step, byte: u8) -> bool {
        match step {
            Step::Byte(own) => *own == byte,
            Step::Any => true,
            Step::Class(which) => {
                let class = self.classes.get(usize::from(*which));
                class.is_some_and(|class| class.has(byte))
            }
            Step::Split(..) | Step::Jump(_) => false,
        }
    }

    /// Marks the steps that are reached from one without reading.
    fn reach(&self, from: usize, reached: &mut [bool]) {
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            // A place beyond the end is reached by no name.
            if reached
                .get_mut(at)
                .is_none_or(|here| std::mem::replace(here, true))
            {
                continue;
            }
            match self.steps.get(at) {
                Some(Step::Split(one, other)) => {
                    open.extend([usize::from(*one), usize::from(*other)]);
                }
                Some(Step::Jump(to)) => open.push(usize::from(*to)),
                _ => {}
            }
        }
    }
}

// === impl Class ===

impl Class {
    fn has(&self, byte: u8) -> bool {
        let mut ranges = self.ranges.iter();
        ranges.any(|(from, to)| (*from..=*to).contains(&byte)) == self.among
    }
}

/// A part of a pattern.
enum Part {
    /// Reads a byte.
    One(Step),
    /// `*`
    Many,
    /// `{a,b}`
    Either(Vec<Vec<Part>>),
}

struct Parser<'a> {
    rest: &'a [u8],
    classes: Vec<Class>,
}

// === impl Parser ===

impl Parser<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Up to the end, or to the comma or brace that ends an alternative, with that.
    fn parts(&mut self, alternative: bool) -> (Vec<Part>, Option<u8>) {
        let mut parts = Vec::new();
        while let Some(byte) = self.next() {
            parts.push(match byte {
                b',' | b'}' if alternative => return (parts, Some(byte)),
                b'*' => Part::Many,
                b'?' => Part::One(Step::Any),
                b'[' => Part::One(self.class()),
                b'{' => Part::Either(self.alternatives()),
                b'\\' => Part::One(Step::Byte(self.next().unwrap_or(byte))),
                byte => Part::One(Step::Byte(byte)),
            });
            // Braces with nothing in them are nothing.
            if matches!(parts.last(), Some(Part::Either(either)) if either.is_empty()) {
                parts.pop();
            }
        }
        (parts, None)
    }

    /// Those that are not empty: the others count for nothing.
    fn alternatives(&mut self) -> Vec<Vec<Part>> {
        let mut all = Vec::new();
        loop {
            let (parts, end) = self.parts(true);
            if !parts.is_empty() {
                all.push(parts);
            }
            if end != Some(b',') {
                return all;
            }
        }
    }

    /// `[a-c]`, `[!a]`, `[]a]`.
    fn class(&mut self) -> Step {
        let negated = matches!(self.rest.first(), Some(b'!' | b'^'));
        if negated {
            self.next();
        }
        let mut ranges = Vec::new();
        while let Some(byte) = self.next() {
            // At the beginning it stands for itself.
            if byte == b']' && !ranges.is_empty() {
                break;
            }
            match self.rest {
                [b'-', to, rest @ ..] if *to != b']' => {
                    ranges.push((byte, *to));
                    self.rest = rest;
                }
                _ => ranges.push((byte, byte)),
            }
        }
        let which = u16::try_from(self.classes.len()).unwrap_or(u16::MAX);
        self.classes.push(Class {
            among: !negated,
            ranges: ranges.into(),
        });
        Step::Class(which)
    }
}

/// Where the next step has its place.
fn place(steps: &[Step]) -> u16 {
    u16::try_from(steps.len()).unwrap_or(u16::MAX)
}

/// Adds the steps of parts.
fn assemble(parts: Vec<Part>, steps: &mut Vec<Step>) {
    for part in parts {
        match part {
            Part::One(step) => steps.push(step),
            Part::Many => {
                let here = place(steps);
                let beyond = here.saturating_add(3);
                steps.push(Step::Split(here.saturating_add(1), beyond));
                steps.extend([Step::Any, Step::Jump(here)]);
            }
            Part::Either(all) => either(all, steps),
        }
    }
}

/// Each but the last begins with a split to the next, and all end with a jump to the end.
fn either(all: Vec<Vec<Part>>, steps: &mut Vec<Step>) {
    let mut ends = Vec::new();
    let mut left = all.len();
    for parts in all {
        left -= 1;
        let begin = steps.len();
        steps.push(Step::Jump(place(steps).saturating_add(1)));
        assemble(parts, steps);
        ends.push(steps.len());
        steps.push(Step::Jump(0));
        if left > 0 {
            let first = u16::try_from(begin + 1).unwrap_or(u16::MAX);
            steps[begin] = Step::Split(first, place(steps));
        }
    }
    let end = place(steps);
    ends.into_iter().for_each(|at| steps[at] = Step::Jump(end));
}

#[cfg(test)]
mod tests {
    use globset::GlobBuilder;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        /// The same as with the library, which makes a regular expression of each.
        #[test]
        fn a_name_matches_as_by_a_regular_expression(
            pattern in "[ab*?\\[\\]!^{},\\\\/c-]{0,8}",
            names in prop::collection::vec("[abc-]{0,5}", 8),
        ) {
            let by_library = GlobBuilder::new(&pattern).build();
            let Ok(by_library) = by_library else {
                prop_assert!(Pattern::new(&pattern).is_err());
                return Ok(());
            };
            let by_library = by_library.compile_matcher();
            let own = Pattern::new(&pattern).unwrap();
            for name in names {
                prop_assert_eq!(own.matches(&name), by_library.is_match(&name), "{} {}", pattern, name);
            }
        }
    }

    #[test]
    fn the_longest_pattern_and_name_take_moments() {
        let pattern = Pattern::new(&"*a{b,*}".repeat(36)).unwrap();
        let begin = std::time::Instant::now();
        for _ in 0..100 {
            assert!(!pattern.matches(&"a".repeat(35)));
            assert!(pattern.matches(&"ab".repeat(126)));
        }
        assert!(begin.elapsed() < std::time::Duration::from_secs(5));
    }

    /// With a cache, a regular expression took up to 2 MiB.
    #[test]
    fn a_pattern_takes_little_more_than_its_text() {
        for pattern in ["*a{b,*}".repeat(36), "[a-z]".repeat(50), "?".repeat(253)] {
            let Pattern { steps, classes } = Pattern::new(&pattern).unwrap();
            let ranges = classes.iter().map(|class| size_of_val(&*class.ranges));
            let bytes = size_of_val(&*steps) + size_of_val(&*classes) + ranges.sum::<usize>();
            assert!(bytes <= 12 * pattern.len(), "{bytes}");
        }
    }
}
