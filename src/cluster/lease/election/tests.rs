use super::*;

const ME: &str = "me";
const OTHER: &str = "other";

fn config() -> LeaseConfig {
    LeaseConfig::new("ns", "projsync", ME)
}

fn wall(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("in range")
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn lease(holder: Option<&str>, renewed: i64, version: &str) -> Lease {
    Lease {
        metadata: ObjectMeta {
            name: Some("projsync".into()),
            resource_version: Some(version.into()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: holder.map(Into::into),
            lease_duration_seconds: Some(15),
            acquire_time: Some(MicroTime(wall(0))),
            renew_time: Some(MicroTime(wall(renewed))),
            lease_transitions: Some(3),
            ..LeaseSpec::default()
        }),
    }
}

fn spec(lease: &Lease) -> &LeaseSpec {
    lease.spec.as_ref().expect("a spec")
}

#[test]
fn who_may_claim_the_lease() {
    // (case, what was read, seconds since, is it ours to write)
    let mut odd = lease(Some(OTHER), 0, "1");
    odd.spec.as_mut().expect("a spec").lease_duration_seconds = None;
    let mut none = lease(None, 0, "1");
    none.spec = None;
    let mut short = lease(Some(OTHER), 0, "1");
    short.spec.as_mut().expect("a spec").lease_duration_seconds = Some(3);
    let table = [
        ("held by another", lease(Some(OTHER), 0, "1"), 0, false),
        ("just before expiry", lease(Some(OTHER), 0, "1"), 14, false),
        ("expired", lease(Some(OTHER), 0, "1"), 15, true),
        (
            "renewed long ago by its own clock, seen just now",
            lease(Some(OTHER), -999_999, "1"),
            0,
            false,
        ),
        (
            "renewed in the future by its own clock, unchanged",
            lease(Some(OTHER), 999_999, "1"),
            15,
            true,
        ),
        ("given up", lease(None, 0, "1"), 0, true),
        (
            "given up, as client-go writes it",
            lease(Some(""), 0, "1"),
            0,
            true,
        ),
        ("without a spec", none, 0, true),
        ("ours", lease(Some(ME), 0, "1"), 0, true),
        ("without a duration: ours is used", odd.clone(), 14, false),
        ("without a duration, expired", odd, 15, true),
        ("with a shorter duration than ours", short, 3, true),
    ];
    for (case, read, later, claimed) in table {
        let start = Instant::now();
        let mut election = Election::new(config());
        election.observe(Some(read.clone()), start);
        let now = start + secs(later);
        election.observe(Some(read), now);
        match election.claim(now, wall(100)) {
            Claim::Replace(lease) => {
                assert!(claimed, "{case}");
                assert_eq!(spec(&lease).holder_identity.as_deref(), Some(ME), "{case}");
                assert_eq!(
                    lease.metadata.resource_version.as_deref(),
                    Some("1"),
                    "{case}"
                );
            }
            Claim::Held(until) => {
                assert!(!claimed, "{case}");
                assert!(until > now, "{case}");
            }
            Claim::Create(_) => panic!("{case}: there is one"),
        }
        assert!(!election.is_leading(now), "{case}: reading makes no leader");
    }
}

#[test]
fn expiry_counts_from_the_last_change_of_the_spec() {
    let start = Instant::now();
    let mut election = Election::new(config());
    election.observe(Some(lease(Some(OTHER), 0, "1")), start);
    // Renewed after ten seconds; then only a label changes.
    election.observe(Some(lease(Some(OTHER), 10, "2")), start + secs(10));
    election.observe(Some(lease(Some(OTHER), 10, "3")), start + secs(20));
    assert_eq!(
        election.claim(start + secs(24), wall(24)),
        Claim::Held(start + secs(25))
    );
    let Claim::Replace(write) = election.claim(start + secs(25), wall(25)) else {
        panic!("expired");
    };
    assert_eq!(
        write.metadata.resource_version.as_deref(),
        Some("3"),
        "of the newest version"
    );
}

#[test]
fn a_takeover_counts_and_a_renewal_does_not() {
    let now = Instant::now();
    let mut election = Election::new(config());
    election.observe(Some(lease(None, 0, "1")), now);
    let Claim::Replace(taken) = election.claim(now, wall(50)) else {
        panic!("free");
    };
    assert_eq!(spec(&taken).lease_transitions, Some(4));
    assert_eq!(spec(&taken).acquire_time, Some(MicroTime(wall(50))));
    assert_eq!(spec(&taken).renew_time, Some(MicroTime(wall(50))));
    election.accepted(*taken, now, now);
    let renewed = election.renewal(now + secs(2), wall(52)).expect("leading");
    assert_eq!(spec(&renewed).lease_transitions, Some(4));
    assert_eq!(spec(&renewed).acquire_time, Some(MicroTime(wall(50))));
    assert_eq!(spec(&renewed).renew_time, Some(MicroTime(wall(52))));
    // The first of all has no transitions.
    let mut election = Election::new(config());
    election.observe(None, now);
    let Claim::Create(created) = election.claim(now, wall(0)) else {
        panic!("there is none");
    };
    assert_eq!(spec(&created).lease_transitions, Some(0));
    assert_eq!(created.metadata.resource_version, None);
}

#[test]
fn what_others_put_on_the_lease_is_kept() {
    let now = Instant::now();
    let mut foreign = lease(None, 0, "1");
    foreign.metadata.labels = Some([("team".to_owned(), "a".to_owned())].into());
    foreign.spec.as_mut().expect("a spec").preferred_holder = Some("x".into());
    let mut election = Election::new(config());
    election.observe(Some(foreign.clone()), now);
    let Claim::Replace(write) = election.claim(now, wall(0)) else {
        panic!("free");
    };
    assert_eq!(write.metadata.labels, foreign.metadata.labels);
    assert_eq!(spec(&write).preferred_holder.as_deref(), Some("x"));
}

#[test]
fn a_leader_leads_for_the_renew_deadline_from_sending() {
    let start = Instant::now();
    let mut election = Election::new(config());
    election.observe(Some(lease(None, 0, "1")), start);
    // The answer took three seconds.
    election.accepted(lease(Some(ME), 0, "2"), start, start + secs(3));
    assert_eq!(
        election.leadership(start + secs(3)),
        Leadership::Leader {
            until: start + secs(10)
        }
    );
    assert!(election.is_leading(start + secs(10) - Duration::from_nanos(1)));
    assert!(!election.is_leading(start + secs(10)));
    assert!(
        election.renewal(start + secs(10), wall(10)).is_none(),
        "reads first once it lapsed"
    );
    assert_eq!(
        election.leadership(start + secs(10)),
        Leadership::Standby {
            holder: Some(ME.into())
        }
    );
}

#[test]
fn leadership_ends_at_once_when_another_holder_or_none_is_seen() {
    for seen in [
        Some(lease(Some(OTHER), 5, "9")),
        Some(lease(None, 5, "9")),
        None,
    ] {
        let now = Instant::now();
        let mut election = Election::new(config());
        election.accepted(lease(Some(ME), 0, "2"), now, now);
        assert!(election.is_leading(now));
        election.observe(seen, now);
        assert!(!election.is_leading(now));
    }
    // An edit that leaves us the holder does not.
    let now = Instant::now();
    let mut election = Election::new(config());
    election.accepted(lease(Some(ME), 0, "2"), now, now);
    election.observe(Some(lease(Some(ME), 0, "3")), now);
    assert!(election.is_leading(now));
}

#[test]
fn an_answer_that_names_somebody_else_makes_no_leader() {
    let now = Instant::now();
    let mut election = Election::new(config());
    election.accepted(lease(Some(OTHER), 0, "2"), now, now);
    assert!(!election.is_leading(now));
}

#[test]
fn a_release_clears_the_holder_and_only_ours() {
    let now = Instant::now();
    let mut election = Election::new(config());
    assert_eq!(election.release(wall(0)), None);
    election.observe(Some(lease(Some(OTHER), 0, "1")), now);
    assert_eq!(election.release(wall(0)), None);
    election.accepted(lease(Some(ME), 0, "2"), now, now);
    let released = election.release(wall(7)).expect("ours");
    assert_eq!(spec(&released).holder_identity, None);
    assert_eq!(spec(&released).lease_duration_seconds, Some(1));
    assert_eq!(spec(&released).lease_transitions, Some(3));
    assert_eq!(spec(&released).renew_time, Some(MicroTime(wall(7))));
    assert_eq!(released.metadata.resource_version.as_deref(), Some("2"));
}

#[test]
fn when_to_try_next() {
    let now = Instant::now();
    let mut election = Election::new(config());
    assert_eq!(election.leadership(now), Leadership::Unknown);
    assert_eq!(election.next_attempt(now, 0.0), now + secs(2));
    assert_eq!(
        election.next_attempt(now, 0.5),
        now + Duration::from_millis(3200)
    );
    // A standby: no later than the expiry.
    election.observe(Some(lease(Some(OTHER), 0, "1")), now);
    assert_eq!(election.next_attempt(now + secs(14), 0.5), now + secs(15));
    assert_eq!(election.next_attempt(now + secs(15), 0.0), now + secs(17));
    // A leader: without jitter, and no later than the deadline.
    election.accepted(lease(Some(ME), 0, "2"), now, now);
    assert_eq!(election.next_attempt(now, 0.9), now + secs(2));
    assert_eq!(election.next_attempt(now + secs(9), 0.9), now + secs(10));
}

#[test]
fn durations_round_up_to_whole_seconds() {
    assert_eq!(whole_seconds(secs(15)), 15);
    assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
    assert_eq!(whole_seconds(Duration::MAX), i32::MAX);
}

#[test]
fn who_leads_is_not_known_for_ever() {
    let start = Instant::now();
    let mut election = Election::new(config());
    assert_eq!(election.leadership(start), Leadership::Unknown);
    election.observe(Some(lease(Some(OTHER), 0, "1")), start);
    let standby = Leadership::Standby {
        holder: Some(OTHER.into()),
    };
    assert_eq!(election.leadership(start + secs(29)), standby);
    assert_eq!(election.leadership(start + secs(30)), Leadership::Unknown);
    // The same record again says that nothing changed.
    election.observe(Some(lease(Some(OTHER), 0, "1")), start + secs(31));
    assert_eq!(election.leadership(start + secs(32)), standby);
}

/// The wall clock goes into the record, for people to read; nothing is decided by it.
#[test]
fn a_wall_clock_that_jumps_changes_nothing() {
    let start = Instant::now();
    let spans = [0, 3600, -3600, 400 * 24 * 3600, -400 * 24 * 3600];
    let run = |jump: &dyn Fn(u64) -> i64| {
        let (mut mine, mut other) = (Election::new(config()), Election::new(config()));
        other.config.identity = OTHER.into();
        let mut told = Vec::new();
        let Claim::Create(created) = mine.claim(start, wall(jump(0))) else {
            panic!("not free");
        };
        mine.accepted(*created, start, start);
        // Renewed each two seconds for a minute, then not any more.
        for second in 0..90 {
            let now = start + secs(second);
            if second < 60
                && second % 2 == 0
                && let Some(renewed) = mine.renewal(now, wall(jump(second)))
            {
                mine.accepted((*renewed).clone(), now, now);
                other.observe(Some(*renewed), now);
            }
            let claim = other.claim(now, wall(-jump(second)));
            told.push((
                mine.is_leading(now),
                matches!(claim, Claim::Replace(_)),
                mine.next_attempt(now, 0.5) - now,
            ));
        }
        told
    };
    let steady = run(&|second| i64::try_from(second).unwrap_or(0));
    let led = steady.iter().filter(|(leads, ..)| *leads).count();
    let free = steady.iter().filter(|(_, free, _)| *free).count();
    // The last renewal is at 58 s: it leads for 10 more, others wait for 15.
    assert_eq!((led, free), (68, 90 - 73));
    let jumping = run(&|second| spans[second as usize % spans.len()]);
    assert_eq!(jumping, steady);
}
