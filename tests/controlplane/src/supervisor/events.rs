//! What reaches the supervisor from outside: lines and end of its stdin, signals.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Stop;

pub(crate) enum Event {
    /// A command.
    Line(String),
    /// The end of stdin, or a signal that asks to end.
    End,
}

pub(crate) struct Events {
    receiver: Receiver<Event>,
    /// Commands that came while something else was awaited.
    lines: VecDeque<String>,
}

impl Events {
    /// Listens to signals, and to stdin too if `read_stdin`.
    pub(crate) fn listen(read_stdin: bool) -> Result<Self, Stop> {
        let (sender, receiver) = mpsc::channel();
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])
            .map_err(Stop::because("listening to signals"))?;
        let from_signals = sender.clone();
        thread::spawn(move || {
            for _ in signals.forever() {
                if from_signals.send(Event::End).is_err() {
                    return;
                }
            }
        });
        if read_stdin {
            thread::spawn(move || {
                for line in std::io::stdin().lock().lines() {
                    let Ok(line) = line else { break };
                    if sender.send(Event::Line(line)).is_err() {
                        return;
                    }
                }
                let _ = sender.send(Event::End);
            });
        }
        Ok(Self {
            receiver,
            lines: VecDeque::new(),
        })
    }

    /// The next event, if one comes in time.
    pub(crate) fn next(&mut self, limit: Duration) -> Option<Event> {
        if let Some(line) = self.lines.pop_front() {
            return Some(Event::Line(line));
        }
        match self.receiver.recv_timeout(limit) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            // Both threads are gone, so nobody could ask to end any more.
            Err(RecvTimeoutError::Disconnected) => Some(Event::End),
        }
    }

    /// Waits for a while; fails as soon as it is asked to end. Commands are kept
    /// for [`Events::next`].
    pub(crate) fn check(&mut self, pause: Duration) -> Result<(), Stop> {
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(Event::Line(line)) => self.lines.push_back(line),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return Err(Stop::Asked),
            }
        }
    }
}
