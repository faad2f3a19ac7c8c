//! What is going on, on stderr: a bar on a terminal, else plain lines.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

/// The least time between two plain lines of one step.
const LINES: Duration = Duration::from_secs(10);

/// Shows what is going on.
pub(crate) struct Progress {
    begun: Instant,
    terminal: bool,
}

/// One step of it.
pub(crate) struct Step<'a> {
    progress: &'a Progress,
    name: String,
    total: usize,
    begun: Instant,
    bar: Option<ProgressBar>,
    told: Mutex<Instant>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Begins a step of `total` parts; 0 where that can't be told.
    pub(crate) fn step(&self, name: impl Into<String>, total: usize) -> Step<'_> {
        let name = name.into();
        let bar = self.terminal.then(|| {
            let bar = ProgressBar::new(total as u64);
            let template = match total {
                0 => "{elapsed_precise} {spinner} {msg}",
                _ => "{elapsed_precise} {bar:30} {pos}/{len} {msg}",
            };
            // A template that indicatif can't read would be a bar without one.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(name.clone());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let step = Step {
            progress: self,
            name,
            total,
            begun: Instant::now(),
            bar,
            told: Mutex::new(Instant::now()),
        };
        if !self.terminal {
            step.line("...");
        }
        step
    }
}

impl Step<'_> {
    /// So many of its parts are done.
    pub(crate) fn at(&self, done: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            return;
        }
        let mut told = self.told.lock();
        if told.elapsed() >= LINES {
            *told = Instant::now();
            self.line(&format!("{done} of {}", self.total));
        }
    }

    fn line(&self, what: &str) {
        let seconds = self.progress.begun.elapsed().as_secs();
        eprintln!("{:>4} s  {}: {what}", seconds, self.name);
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        let took = format!("{:.1} s", self.begun.elapsed().as_secs_f64());
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            eprintln!("{:<60} {took:>8}", self.name);
        } else {
            self.line(&took);
        }
    }
}
