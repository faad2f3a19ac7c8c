//! Ages and times in people's words.

use super::*;

#[test]
fn spans_are_short() {
    let cases = [
        (-5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (185, "3m5s"),
        (3600, "60m"),
        (10_860, "3h1m"),
        (36_000, "10h"),
        (180_000, "2d2h"),
        (8_640_000, "100d"),
    ];
    for (seconds, expected) in cases {
        assert_eq!(span(seconds), expected, "{seconds}");
    }
}

#[test]
fn what_has_passed_is_said_to_have() {
    let now = Timestamp::from_second(1000).unwrap();
    let at = |second| Time(Timestamp::from_second(second).unwrap());
    assert_eq!(until(&at(1020), now), "in 20s");
    assert_eq!(until(&at(1000), now), "in 0s");
    assert_eq!(until(&at(990), now), "10s ago");
    assert_eq!(ago(&at(990), now), "10s ago");
}
