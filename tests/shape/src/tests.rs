//! Each rule with sources that break it, and with the nearest ones that don't.

use crate::check;
use crate::sources::Sources;

/// What is wrong with these files of `src`, each a path and its text. `lib.rs` declares them all.
fn faults(files: &[(&str, &str)]) -> Vec<String> {
    let mut sources = Sources::default();
    for (path, text) in files {
        sources.0.insert(format!("src/{path}"), (*text).to_owned());
    }
    let top = |path: &str| {
        Some(
            path.strip_suffix("/mod.rs")
                .or(path.strip_suffix(".rs"))?
                .to_owned(),
        )
    };
    let declared: String = files
        .iter()
        .filter_map(|(path, _)| top(path))
        .filter(|name| !name.contains('/') && name != "main" && name != "lib")
        .map(|name| format!("mod {name};\n"))
        .collect();
    sources.0.entry("src/lib.rs".to_owned()).or_insert(declared);
    let faults = check(&sources).expect("the sources are read");
    faults.iter().map(ToString::to_string).collect()
}

/// `count` lines of code.
fn lines(count: usize) -> String {
    "    work();\n".repeat(count)
}

#[test]
fn a_file_of_400_lines_is_allowed_and_one_of_401_is_not() {
    let file = |lines: usize| "const A: u8 = 0;\n".repeat(lines);
    assert!(faults(&[("core.rs", &file(400))]).is_empty());
    assert_eq!(
        faults(&[("core.rs", &file(401))]),
        ["src/core.rs:1: 401 lines, at most 400 are allowed: split it by purpose"]
    );
}

#[test]
fn modules_of_tests_count_neither_inline_nor_as_files() {
    let tests = format!(
        "{}#[cfg(test)]\nmod tests {{\n fn a() {{\n{}}}\n}}\n",
        "// 1\n".repeat(400),
        lines(500)
    );
    assert!(faults(&[("core.rs", &tests)]).is_empty());
    let long = format!("fn a() {{\n{}}}\n", lines(500));
    assert!(
        faults(&[
            ("core.rs", "#[cfg(test)]\nmod tests;\n"),
            ("core/tests.rs", &long)
        ])
        .is_empty()
    );
}

#[test]
fn a_function_of_60_lines_is_allowed_and_one_of_61_is_not() {
    let function = |lines: usize| format!("\nfn long() {{\n{}}}\n", self::lines(lines));
    assert!(faults(&[("core.rs", &function(60))]).is_empty());
    assert_eq!(
        faults(&[("core.rs", &function(61))]),
        [
            "src/core.rs:2: `long` has 61 lines, at most 60 are allowed: give a part of it a name of its own"
        ]
    );
}

#[test]
fn methods_are_functions_too() {
    let body = lines(61);
    let text = format!(
        "impl A {{\nfn of_type() {{\n{body}}}\n}}\ntrait B {{\nfn of_trait() {{\n{body}}}\n}}\n"
    );
    let faults = faults(&[("core.rs", &text)]);
    assert!(faults[0].contains("`of_type` has 61 lines"), "{faults:?}");
    assert!(faults[1].contains("`of_trait` has 61 lines"), "{faults:?}");
}

const A_AND_B: &str = "mod a;\nmod b;\n";

#[test]
fn two_files_that_use_each_other_are_a_circle() {
    let faults = faults(&[
        ("core/mod.rs", A_AND_B),
        ("core/a.rs", "use super::b::B;\nstruct A(B);\n"),
        ("core/b.rs", "\nstruct B(Box<crate::core::a::A>);\n"),
    ]);
    assert_eq!(
        faults,
        [
            "src/core/a.rs:1: circle of files: src/core/a.rs:1 uses src/core/b.rs; src/core/b.rs:2 uses \
          src/core/a.rs; move what both ends need into a file below them"
        ]
    );
}

#[test]
fn a_longer_circle_is_told_once() {
    let faults = faults(&[
        ("core/mod.rs", "mod a;\nmod b;\nmod c;\n"),
        ("core/a.rs", "use super::b::B;\nstruct A;\n"),
        ("core/b.rs", "use super::c::C;\nstruct B;\n"),
        ("core/c.rs", "use super::a::A;\nstruct C;\n"),
    ]);
    assert_eq!(faults.len(), 1, "{faults:?}");
}

/// Where `core/a.rs` uses `A` of `core/mod.rs` in this way, and that uses `a`.
fn circles_with_parent(parent: &str, child: &str) -> usize {
    faults(&[("core/mod.rs", parent), ("core/a.rs", child)]).len()
}

#[test]
fn a_parent_that_uses_what_its_children_make_of_its_own_is_a_circle() {
    let child = "fn f() -> super::A { super::A }\n";
    assert_eq!(
        circles_with_parent("mod a;\nstruct A;\nfn g() { a::f(); }\n", child),
        1
    );
    assert_eq!(
        circles_with_parent("mod a;\nuse a::f;\nstruct A;\nfn g() { f(); }\n", child),
        1
    );
    assert_eq!(
        circles_with_parent("mod a;\npub use a::f;\nstruct A;\nfn g() { f(); }\n", child),
        1
    );
}

#[test]
fn a_parent_that_only_declares_and_re_exports_is_on_no_circle() {
    let child = "fn f() -> super::A { super::A }\n";
    assert_eq!(
        circles_with_parent("mod a;\npub use a::f;\nstruct A;\n", child),
        0
    );
    assert_eq!(
        circles_with_parent("mod a;\n#[cfg(test)]\nuse a::f;\nstruct A;\n", child),
        0
    );
}

#[test]
fn re_exports_lead_to_the_file_that_defines() {
    let faults = faults(&[
        ("core/mod.rs", "mod a;\nmod b;\npub use b::inner::*;\n"),
        ("core/a.rs", "use crate::core::B;\npub struct A;\n"),
        (
            "core/b/mod.rs",
            "pub mod inner { pub use super::deep::B as B; }\nmod deep;\n",
        ),
        (
            "core/b/deep.rs",
            "use crate::core::a;\npub struct B(a::A);\n",
        ),
    ]);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].contains("src/core/b/deep.rs:2 uses src/core/a.rs"),
        "{faults:?}"
    );
}

#[test]
fn macros_attributes_and_functions_use_files_too() {
    for user in [
        "fn f() { format!(\"{}\", 1 + super::a::N); }",
        "macro_rules! m { () => { $crate::core::a::N } }",
        "#[serde(with = \"crate::core::a::N\")]\nstruct S;",
        "fn f() { use super::a::N; }",
        "mod inner { use super::super::a::N; }",
    ] {
        let files = [
            ("core/mod.rs", A_AND_B),
            ("core/a.rs", "const N: u8 = 0;\nuse super::b::B;"),
            ("core/b.rs", user),
        ];
        assert_eq!(faults(&files).len(), 1, "{user}");
    }
}

#[test]
fn what_only_tests_use_makes_no_circle() {
    for user in [
        "#[cfg(test)]\nuse super::a::A;",
        "#[cfg(test)]\nfn f() { super::a::f(); }",
        "#[cfg(test)]\nimpl super::a::A {}",
        "struct B;\nimpl B { #[cfg(test)]\nfn f() { super::a::f(); } }",
        "#[cfg(test)]\nmod tests { use super::super::a::A; }",
    ] {
        let files = [
            ("core/mod.rs", A_AND_B),
            ("core/a.rs", "use super::b::B;\npub struct A;"),
            ("core/b.rs", user),
        ];
        assert!(faults(&files).is_empty(), "{user}");
    }
}

#[test]
fn an_import_that_runs_up_the_layers_is_told() {
    let faults = faults(&[
        ("core.rs", "\nuse crate::cluster::Client;\nstruct Core;\n"),
        ("cluster.rs", "struct Client;\n"),
    ]);
    assert_eq!(
        faults,
        [
            "src/core.rs:2: uses src/cluster.rs, but `core` may use only kinds, api: move one of them, \
          or pass in what is needed"
        ]
    );
}

#[test]
fn an_import_that_runs_down_the_layers_is_fine() {
    let files = [
        ("cluster.rs", "use crate::core::Core;\n"),
        ("core.rs", "struct Core;\n"),
    ];
    assert!(faults(&files).is_empty());
}

#[test]
fn a_re_export_hides_no_import_up_the_layers() {
    let faults = faults(&[
        (
            "kinds/mod.rs",
            "pub mod words { pub use crate::cli::Words; }\n",
        ),
        ("api.rs", "use crate::kinds::words::Words;\n"),
        ("cli.rs", "struct Words;\n"),
    ]);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].contains("src/api.rs:1: uses src/cli.rs"),
        "{faults:?}"
    );
}

#[test]
fn all_may_use_what_the_library_itself_defines() {
    let library = "mod cli;\nconst VERSION: u8 = 0;\n";
    assert!(
        faults(&[
            ("lib.rs", library),
            ("cli.rs", "fn f() -> u8 { crate::VERSION }\n")
        ])
        .is_empty()
    );
}

#[test]
fn the_binary_may_use_only_the_command_line() {
    let faults = |layer: &str| {
        let main = format!("fn main() {{ projsync::{layer}::f(); }}\n");
        faults(&[
            ("main.rs", &main),
            ("cli.rs", "fn f() {}"),
            ("core.rs", "fn f() {}"),
        ])
    };
    assert!(faults("cli").is_empty());
    assert_eq!(faults("core").len(), 1);
}

#[test]
fn a_folder_without_a_layer_is_told() {
    let faults = faults(&[("attic/mod.rs", "struct Attic;\n")]);
    assert!(
        faults[0].starts_with("src/attic/mod.rs:1: `attic` is no layer yet"),
        "{faults:?}"
    );
}

#[test]
fn a_declared_file_that_is_missing_is_an_error() {
    let mut sources = Sources::default();
    sources
        .0
        .insert("src/lib.rs".to_owned(), "mod core;".to_owned());
    assert_eq!(check(&sources), Err("src/core.rs is missing".to_owned()));
}
