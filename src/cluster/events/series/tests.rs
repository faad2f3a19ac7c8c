use super::*;
use crate::cluster::events::notice::Regarding;

fn notice(note: &str) -> Notice {
    let regarding = Regarding {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "ns".into(),
        name: "web".into(),
        uid: "u".into(),
        resource_version: None,
    };
    Notice {
        regarding,
        event_type: EventType::Normal,
        reason: "Rolled",
        action: "Roll",
        note: note.into(),
    }
}

#[test]
fn the_same_within_ten_minutes_is_counted() {
    let mut series = Series::default();
    let mut now = Instant::now();
    let a = notice("a");
    assert_eq!(series.step(&a, now), Posting::Create);
    assert_eq!(series.step(&a, now), Posting::Create, "not created yet");
    series.created(&a, "web.1".into(), now);
    for count in 2..5 {
        now += Duration::from_secs(599);
        let mut newer = a.clone();
        newer.regarding.resource_version = Some(count.to_string());
        assert_eq!(
            series.step(&newer, now),
            Posting::Repeat {
                name: "web.1".into(),
                count
            }
        );
    }
    now += WINDOW;
    assert_eq!(series.step(&a, now), Posting::Create);
}

#[test]
fn any_difference_makes_another() {
    let mut series = Series::default();
    let now = Instant::now();
    let a = notice("a");
    series.created(&a, "web.1".into(), now);
    let mut others = [notice("b"), a.clone(), a.clone(), a.clone(), a.clone()];
    others[1].reason = "Held";
    others[2].action = "Hold";
    others[3].event_type = EventType::Warning;
    others[4].regarding.uid = "v".into();
    for other in others {
        assert_eq!(series.step(&other, now), Posting::Create, "{other:?}");
    }
    series.forget(&a);
    assert_eq!(series.step(&a, now), Posting::Create);
}

#[test]
fn memory_is_bounded_and_keeps_the_newest() {
    let mut series = Series::default();
    let mut now = Instant::now();
    for i in 0..10_000 {
        now += Duration::from_millis(1);
        series.created(&notice(&i.to_string()), i.to_string(), now);
        assert!(series.posted.len() <= REMEMBERED);
    }
    assert!(matches!(
        series.step(&notice("9999"), now),
        Posting::Repeat { .. }
    ));
    assert_eq!(series.step(&notice("0"), now), Posting::Create);
}
