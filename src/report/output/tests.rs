//! What gets out: clean, aligned, in colours of ours alone.

use serde_json::json;

use super::*;

const NASTY: &str = "a\u{1b}[2Jb\nc\rd\u{9b}31me\u{202e}f\u{7f}\u{0}\u{200b}";

#[test]
fn control_characters_never_get_out() {
    let page: Page = [Line::of(Tone::Bad, NASTY)].into_iter().collect();
    let mut table = Table::new([NASTY, "B"]);
    table.push(vec![Line::plain(NASTY), Line::plain("b")]);
    let json = json(&json!({ NASTY: [NASTY] })).unwrap();
    let [(name, texts)] = json.as_object().unwrap().iter().collect::<Vec<_>>()[..] else {
        panic!("{json}");
    };
    let (name, value) = (name.clone(), texts[0].as_str().unwrap().to_owned());
    for text in [page.text(false), table.lines().text(false), name, value] {
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(acts), "{text:?}");
        assert!(text.contains("a\u{fffd}[2Jb\u{fffd}c"), "{text:?}");
    }
    assert_eq!(page.text(false).lines().count(), 1);
}

#[test]
fn only_our_own_colours_get_out() {
    let page: Page = [Line::of(Tone::Bad, "a\u{1b}[0mb")].into_iter().collect();
    assert_eq!(page.text(true), "\u{1b}[31ma\u{fffd}[0mb\u{1b}[0m\n");
}

#[test]
fn letters_of_all_languages_pass() {
    assert_eq!(clean("größe 設定 \u{1f600}"), "größe 設定 \u{1f600}");
}

#[test]
fn columns_are_aligned_by_what_is_seen() {
    let mut table = Table::new(["NAME", "STATE", "LAST"]);
    table.push(vec![
        Line::plain("größe"),
        Line::of(Tone::Bad, "Held"),
        Line::plain("x"),
    ]);
    table.push(vec![Line::plain("b"), Line::default(), Line::plain("y")]);
    assert_eq!(
        table.lines().text(false),
        "\
NAME    STATE   LAST
größe   Held    x
b               y
"
    );
}

#[test]
fn a_section_without_lines_is_left_out() {
    let mut page = Page::default();
    page.section("Rolls", Page::default());
    page.section("Undo", [Line::plain("x")].into_iter().collect());
    assert_eq!(page.text(false), "\nUndo\n  x\n");
}
