//! Looks at memory again and again, for the plot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;
use testkit::Process;

/// Between two looks.
const STEP: Duration = Duration::from_millis(250);

/// Resident memory at one moment.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sample {
    /// Since the sampler started.
    pub(crate) seconds: f64,
    /// Of the operator, in bytes; `None` while it does not run.
    pub(crate) operator: Option<u64>,
    /// Of the API server, in bytes.
    pub(crate) api_server: Option<u64>,
}

/// When a scenario began.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Phase {
    /// Since the sampler started.
    pub(crate) seconds: f64,
    pub(crate) name: String,
}

/// Looks at memory until it is dropped.
pub(crate) struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    begun: Instant,
    ended: AtomicBool,
    operator: Mutex<Option<Process>>,
    api_server: Process,
    samples: Mutex<Vec<Sample>>,
    phases: Mutex<Vec<Phase>>,
}

impl Sampler {
    pub(crate) fn start(api_server: Process) -> Self {
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            ended: AtomicBool::new(false),
            operator: Mutex::default(),
            api_server,
            samples: Mutex::default(),
            phases: Mutex::default(),
        });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.sample()
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// Which process the operator is from now on.
    pub(crate) fn follow(&self, operator: Option<Process>) {
        *self.shared.operator.lock() = operator;
    }

    /// A scenario begins.
    pub(crate) fn phase(&self, name: &str) {
        self.shared.phases.lock().push(Phase {
            seconds: self.shared.begun.elapsed().as_secs_f64(),
            name: name.to_owned(),
        });
    }

    /// What was seen.
    pub(crate) fn seen(&self) -> (Vec<Sample>, Vec<Phase>) {
        let samples = self.shared.samples.lock().clone();
        (samples, self.shared.phases.lock().clone())
    }
}

impl Shared {
    fn sample(&self) {
        while !self.ended.load(Ordering::Relaxed) {
            let operator = *self.operator.lock();
            let sample = Sample {
                seconds: self.begun.elapsed().as_secs_f64(),
                operator: operator.and_then(|operator| operator.resident().ok()),
                api_server: self.api_server.resident().ok(),
            };
            self.samples.lock().push(sample);
            std::thread::sleep(STEP);
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}
