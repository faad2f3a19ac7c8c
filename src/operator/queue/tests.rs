use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{advance, sleep, timeout};

const NO_FLOOR: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(30),
    floor: Duration::ZERO,
};

/// `shop/web` is of the namespace `shop`.
impl OfNamespace for &'static str {
    fn namespace(&self) -> &str {
        self.split_once('/').map_or("", |(namespace, _)| namespace)
    }
}

fn queue() -> Arc<Queue<&'static str>> {
    Queue::new("test", Backoff::default())
}

/// Starts a runner whose handler reports each key with the time since the
/// start, and answers by `outcome`.
struct Runner {
    runs: mpsc::UnboundedReceiver<(&'static str, Duration)>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

fn start(
    queue: &Arc<Queue<&'static str>>,
    concurrency: usize,
    takes: Duration,
    outcome: impl Fn(&'static str, usize) -> Next + Send + Sync + 'static,
) -> Runner {
    let (report, runs) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let begin = Instant::now();
    let outcome = Arc::new(outcome);
    let attempt = Arc::new(AtomicUsize::new(0));
    let queue = Arc::clone(queue);
    let task = tokio::spawn(async move {
        let handler = |key| {
            let (report, outcome, attempt) =
                (report.clone(), Arc::clone(&outcome), Arc::clone(&attempt));
            async move {
                report.send((key, begin.elapsed())).ok();
                sleep(takes).await;
                outcome(key, attempt.fetch_add(1, Ordering::Relaxed) + 1)
            }
        };
        run(queue, concurrency, handler, async {
            stopped.await.ok();
        })
        .await;
    });
    Runner {
        runs,
        stop: Some(stop),
        task,
    }
}

impl Runner {
    async fn next(&mut self) -> (&'static str, Duration) {
        timeout(Duration::from_secs(3600), self.runs.recv())
            .await
            .expect("a run")
            .expect("a runner")
    }

    async fn none_within(&mut self, time: Duration) {
        if let Ok(run) = timeout(time, self.runs.recv()).await {
            panic!("unexpected run {run:?}");
        }
    }
}

const MS: fn(u64) -> Duration = Duration::from_millis;

#[tokio::test(start_paused = true)]
async fn runs_in_order_of_due_time_then_of_adding() {
    let queue = queue();
    queue.add_after("later", MS(20));
    queue.add_after("sooner", MS(10));
    queue.add("b");
    queue.add("a");
    let mut runner = start(&queue, 1, Duration::ZERO, |_, _| Next::Done);
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(runner.next().await.0);
    }
    assert_eq!(order, ["b", "a", "sooner", "later"]);
    runner.none_within(Duration::from_secs(60)).await;
}

/// Somebody with thousands of keys does not delay others by as many.
#[tokio::test(start_paused = true)]
async fn each_namespace_has_its_turn() {
    let queue = queue();
    let many = (0..1_000).map(|number| &*format!("loud/{number:04}").leak());
    many.for_each(|key| queue.add(key));
    ["a/1", "b/1", "a/2"]
        .into_iter()
        .for_each(|key| queue.add(key));
    let takes = Duration::from_millis(10);
    let mut runner = start(&queue, 1, takes, |_, _| Next::Done);
    let mut order = Vec::new();
    for _ in 0..6 {
        order.push(runner.next().await.0);
    }
    assert_eq!(
        order,
        ["loud/0000", "a/1", "b/1", "loud/0001", "a/2", "loud/0002"]
    );
    assert_eq!(queue.depth(), 1_003 - 6);
}

#[tokio::test(start_paused = true)]
async fn a_running_key_runs_once_more_however_often_it_is_added() {
    let queue = queue();
    let mut runner = start(&queue, 4, MS(100), |_, _| Next::Done);
    queue.add("a");
    assert_eq!(runner.next().await, ("a", MS(0)));
    for _ in 0..10 {
        queue.add("a");
    }
    assert_eq!(
        runner.next().await,
        ("a", MS(100)),
        "only after the first run ended"
    );
    runner.none_within(Duration::from_secs(60)).await;
    assert!(queue.idle());
}

#[tokio::test(start_paused = true)]
async fn the_earliest_due_time_wins() {
    let queue = queue();
    let mut runner = start(&queue, 1, Duration::ZERO, |_, _| Next::Done);
    queue.add_after("a", MS(500));
    queue.add_after("a", MS(100));
    queue.add_after("a", MS(900));
    assert_eq!(runner.next().await, ("a", MS(100)));
    runner.none_within(Duration::from_secs(60)).await;
    queue.add_after("b", MS(500));
    queue.add("b");
    let (key, at) = runner.next().await;
    assert_eq!((key, at), ("b", MS(60_100)));
    runner.none_within(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_delay_asked_for_while_running_and_by_the_handler_is_the_shorter() {
    for (added, expected) in [(100, 150), (500, 400)] {
        let queue = queue();
        let mut runner = start(&queue, 1, MS(100), |_, attempt| match attempt {
            1 => Next::After(MS(300)),
            _ => Next::Done,
        });
        queue.add("a");
        runner.next().await;
        advance(MS(50)).await;
        queue.add_after("a", MS(added));
        assert_eq!(runner.next().await.1, MS(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_limited_across_keys() {
    let queue = queue();
    for key in ["a", "b", "c", "d", "e"] {
        queue.add(key);
    }
    let mut runner = start(&queue, 2, MS(100), |_, _| Next::Done);
    let mut at = Vec::new();
    for _ in 0..5 {
        at.push(runner.next().await.1.as_millis());
    }
    assert_eq!(at, [0, 0, 100, 100, 200]);
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_exponentially_up_to_the_cap() {
    let queue = Queue::new("test", NO_FLOOR);
    let mut runner = start(&queue, 1, Duration::ZERO, |_, _| Next::Retry);
    queue.add("a");
    let mut last = runner.next().await.1;
    let mut expected = MS(50);
    for _ in 0..14 {
        let (_, at) = runner.next().await;
        let gap = at - last;
        // A timer fires up to a millisecond late.
        assert!(
            gap >= expected / 2 && gap <= expected + MS(1),
            "{gap:?} for {expected:?}"
        );
        last = at;
        expected = (expected * 2).min(Duration::from_secs(30));
    }
    assert_eq!(expected, Duration::from_secs(30));
    assert_eq!(queue.snapshot().items[0].failures, 15);
}

#[tokio::test(start_paused = true)]
async fn success_resets_the_backoff() {
    let queue = Queue::new("test", NO_FLOOR);
    let mut runner = start(&queue, 1, Duration::ZERO, |_, attempt| match attempt {
        4 => Next::Done,
        _ => Next::Retry,
    });
    queue.add("a");
    for _ in 0..4 {
        runner.next().await;
    }
    runner.none_within(Duration::from_secs(120)).await;
    queue.add("a");
    let (_, first) = runner.next().await;
    let (_, second) = runner.next().await;
    assert!(
        second - first <= MS(51),
        "backoff starts from the base again"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_runs_a_failing_key_early_but_events_are_no_hot_loop() {
    let queue = queue();
    let mut runner = start(&queue, 1, Duration::ZERO, |_, _| Next::Retry);
    queue.add("a");
    for _ in 0..10 {
        runner.next().await; // the backoff is now at its largest
    }
    // An event long after the last attempt: at once.
    sleep(Duration::from_secs(5)).await;
    let asked = Instant::now();
    queue.add("a");
    runner.next().await;
    assert!(asked.elapsed() <= MS(1), "took {:?}", asked.elapsed());
    // A thousand events in ten seconds: about one attempt a second.
    let mut runs = 0;
    for _ in 0..1000 {
        queue.add("a");
        sleep(MS(10)).await;
        while runner.runs.try_recv().is_ok() {
            runs += 1;
        }
    }
    assert!((8..=11).contains(&runs), "{runs} runs");
}

#[tokio::test(start_paused = true)]
async fn forgetting_a_failing_key_runs_it_at_once() {
    let queue = queue();
    let mut runner = start(&queue, 1, Duration::ZERO, |_, attempt| match attempt {
        1..=10 => Next::Retry,
        _ => Next::Done,
    });
    queue.add("a");
    for _ in 0..10 {
        runner.next().await;
    }
    tokio::task::yield_now().await;
    let asked = Instant::now();
    queue.forget(&"a");
    runner.next().await;
    assert!(asked.elapsed() <= MS(1));
    queue.forget(&"never seen");
    runner.none_within(Duration::from_secs(120)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_key_delays_no_other() {
    let queue = queue();
    let mut runner = start(&queue, 1, Duration::ZERO, |key, _| match key {
        "bad" => Next::Retry,
        _ => Next::Done,
    });
    queue.add("bad");
    runner.next().await;
    queue.add("good");
    let asked = Instant::now();
    assert_eq!(runner.next().await.0, "good");
    assert!(asked.elapsed() <= MS(1));
}

#[tokio::test(start_paused = true)]
async fn shutdown_hands_out_nothing_more_and_lets_handlers_finish() {
    let queue = queue();
    let mut runner = start(&queue, 1, MS(100), |_, _| Next::Done);
    queue.add("running");
    queue.add("waiting");
    assert_eq!(runner.next().await.0, "running");
    runner
        .stop
        .take()
        .expect("not stopped")
        .send(())
        .expect("a runner");
    let begin = Instant::now();
    (&mut runner.task).await.expect("no panic");
    assert_eq!(begin.elapsed(), MS(100), "waited for the handler");
    assert!(
        runner.runs.try_recv().is_err(),
        "nothing more was handed out"
    );
    let snapshot = queue.snapshot();
    assert_eq!((snapshot.running, snapshot.depth), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_handler_ends_the_runner_with_it() {
    let queue = queue();
    let mut runner = start(&queue, 2, Duration::ZERO, |_, _| panic!("a defect"));
    queue.add("a");
    let error = (&mut runner.task).await.expect_err("panics");
    assert_eq!(error.into_panic().downcast_ref::<&str>(), Some(&"a defect"));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_tells_running_due_and_delayed() {
    let queue = queue();
    assert!(queue.idle());
    let mut runner = start(&queue, 1, Duration::from_secs(10), |_, _| Next::Done);
    queue.add("a");
    runner.next().await;
    queue.add("b");
    queue.add_after("c", Duration::from_secs(60));
    advance(Duration::from_secs(3)).await;
    let snapshot = queue.snapshot();
    let states: Vec<_> = snapshot
        .items
        .iter()
        .map(|i| (i.key.as_str(), i.state, i.due_in_ms))
        .collect();
    assert_eq!(
        states,
        [
            ("a", ItemState::Running, None),
            ("b", ItemState::Due, Some(-3000)),
            ("c", ItemState::Delayed, Some(57_000)),
        ]
    );
    assert_eq!(
        (snapshot.depth, snapshot.running, snapshot.delayed),
        (1, 1, 1)
    );
    assert_eq!(snapshot.oldest_seconds, 3.0);
    assert_eq!(
        (queue.depth(), queue.oldest(), queue.idle()),
        (1, Duration::from_secs(3), false)
    );
    // Once both are done only the delayed one is left, and the queue is idle.
    runner.next().await;
    sleep(Duration::from_secs(11)).await;
    assert!(queue.idle());
    assert_eq!(queue.snapshot().delayed, 1);
    let json = serde_json::to_value(queue.snapshot()).expect("serializes");
    assert_eq!(json["items"][0]["state"], "Delayed");
    assert_eq!(json["items"][0]["key"], "c");
}
