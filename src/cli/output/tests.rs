//! When colours are printed.

use super::*;

#[test]
fn colours_are_for_terminals_that_want_them() {
    let cases = [
        (true, None, None, true),
        (true, None, Some("xterm"), true),
        (true, Some(""), None, true),
        (true, Some("1"), None, false),
        (true, None, Some("dumb"), false),
        (false, None, Some("xterm"), false),
    ];
    for (terminal, no_color, term, expected) in cases {
        assert_eq!(
            takes_colours(terminal, no_color, term),
            expected,
            "{terminal} {no_color:?} {term:?}"
        );
    }
}
