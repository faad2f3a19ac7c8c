use super::*;

const IDLE: Duration = Duration::from_secs(150);

fn report() -> WatchReport {
    WatchReport {
        kind: "Pod",
        namespace: None,
        synced: true,
        unavailable: false,
        listing: false,
        last_event: Some(Duration::from_secs(1)),
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
        silence: Duration::from_secs(151),
        ..report()
    };
    let unlisted = WatchReport {
        synced: false,
        ..report()
    };
    // One that may be missing is asked for once a minute, and answers nothing.
    let missing = WatchReport {
        unavailable: true,
        ..silent.clone()
    };
    for (report, problem) in [
        (report(), None),
        (failing(2), None),
        (failing(3), Some("list failed")),
        (silent, Some("nothing came for 151 s")),
        (unlisted, Some("its first list is not complete")),
        (missing, None),
    ] {
        assert_eq!(
            watch_problem(&report, IDLE).as_deref(),
            problem,
            "{report:?}"
        );
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
