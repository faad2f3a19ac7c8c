use super::*;

const IDLE: Duration = Duration::from_secs(150);

fn report() -> WatchReport {
    WatchReport {
        kind: "Pod",
        namespace: None,
        optional: false,
        synced: true,
        left_out: None,
        listing: false,
        silence: Duration::from_secs(60),
        errors: 0,
        failure: None,
        failures: 0,
        stalls: 0,
    }
}

#[test]
fn a_watch_is_ready_while_something_comes() {
    let failing = |errors| WatchReport {
        errors,
        failure: Some("list failed".to_owned()),
        ..report()
    };
    let silent = WatchReport {
        silence: Duration::from_secs(161),
        ..report()
    };
    let unlisted = WatchReport {
        synced: false,
        ..report()
    };
    for (report, problem) in [
        (report(), None),
        (failing(2), None),
        (failing(3), Some("list failed")),
        (silent, Some("nothing came for 161 s")),
        (unlisted, Some("its first list is not complete")),
    ] {
        assert_eq!(
            watch_problem(&report, IDLE).as_deref(),
            problem,
            "{report:?}"
        );
    }
}

#[test]
fn what_is_left_out_leaves_the_rest_ready() {
    let denied = WatchReport {
        left_out: Some("403 Forbidden".to_owned()),
        ..report()
    };
    let optional = WatchReport {
        optional: true,
        ..report()
    };
    for (synced, reports, problem) in [
        (true, vec![report(), denied.clone()], None),
        (
            false,
            vec![report()],
            Some("the first lists are not complete"),
        ),
        (
            true,
            vec![optional, denied.clone(), denied],
            Some("nothing can be listed; are the operator's roles bound?"),
        ),
    ] {
        let result = caches_check(synced, &reports).result;
        assert_eq!(result.err().as_deref(), problem, "{reports:?}");
    }
}

#[test]
fn readiness_tells_who_leads() {
    let now = Instant::now();
    let standby = |holder: Option<&str>| Leadership::Standby {
        holder: holder.map(str::to_owned),
    };
    let until = now + Duration::from_secs(1);
    for (leadership, told) in [
        (
            Leadership::Unknown,
            Err("who leads is not known: the API server does not tell of the lease"),
        ),
        (Leadership::Leader { until }, Ok("leading")),
        (
            Leadership::Leader { until: now },
            Ok("standing by, the lease was not renewed in time"),
        ),
        (
            standby(Some("b")),
            Ok("standing by, the lease is held by b"),
        ),
        (standby(None), Ok("standing by, nobody holds the lease")),
    ] {
        let result = lease_check(&leadership, now).result;
        let wanted = told.map(|note| Some(note.to_owned()));
        assert_eq!(result, wanted.map_err(str::to_owned), "{leadership:?}");
    }
}
