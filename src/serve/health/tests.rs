use super::*;

#[test]
fn reports_read_like_those_of_kube_apiserver() {
    let checks = [
        Check::new("watch/Pod", None),
        Check::new("lease", Some("not known yet".into())),
    ];
    let (passed, text) = report("readyz", &checks);
    assert!(!passed);
    assert_eq!(
        text,
        "[+]watch/Pod ok\n[-]lease failed: not known yet\nreadyz check failed\n"
    );
    assert_eq!(
        report("livez", &checks[..1]),
        (true, "[+]watch/Pod ok\nlivez check passed\n".into())
    );
    let note = Check::noted("lease", "leading");
    assert_eq!(
        report("readyz", &[note]),
        (true, "[+]lease ok: leading\nreadyz check passed\n".into())
    );
    assert_eq!(report("livez", &[]), (true, "livez check passed\n".into()));
}

#[tokio::test(start_paused = true)]
async fn a_silent_task_fails_until_it_beats_again() {
    let heartbeats = Heartbeats::default();
    let task = heartbeats.expect("workloads", Duration::from_secs(30));
    let _other = heartbeats.expect("sources", Duration::from_secs(60));
    let failing = || {
        heartbeats
            .checks()
            .iter()
            .filter(|check| check.result.is_err())
            .count()
    };
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(failing(), 0);
    tokio::time::advance(Duration::from_secs(15)).await;
    assert_eq!(
        heartbeats.checks()[0],
        Check::new(
            "task/workloads",
            Some("no heartbeat for 45 s, expected every 30 s".into())
        )
    );
    assert_eq!(failing(), 1);
    task.beat();
    assert_eq!(failing(), 0);
}
