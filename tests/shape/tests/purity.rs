//! Under the rules of tests/core, clippy refuses clocks, the environment, files, printing and the
//! like: a crate is linted with each of them planted in it, and one with none.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// What is planted, and how clippy names it.
const PLANTED: &[(&str, &str)] = &[
    ("std::time::Instant::now();", "type `std::time::Instant`"),
    (
        "std::time::SystemTime::now();",
        "type `std::time::SystemTime`",
    ),
    (
        "std::time::UNIX_EPOCH.elapsed();",
        "method `std::time::SystemTime::elapsed`",
    ),
    ("jiff::Timestamp::now();", "method `jiff::Timestamp::now`"),
    ("jiff::Zoned::now();", "method `jiff::Zoned::now`"),
    (
        "jiff::tz::TimeZone::system();",
        "method `jiff::tz::TimeZone::system`",
    ),
    ("std::env::var(\"HOME\");", "method `std::env::var`"),
    ("std::env::args();", "method `std::env::args`"),
    ("std::fs::read(\"file\");", "method `std::fs::read`"),
    (
        "std::fs::write(\"file\", \"text\");",
        "method `std::fs::write`",
    ),
    ("std::fs::File::open(\"file\");", "type `std::fs::File`"),
    (
        "std::path::Path::new(\"file\").exists();",
        "type `std::path::Path`",
    ),
    (
        "std::process::Command::new(\"ls\");",
        "type `std::process::Command`",
    ),
    ("std::process::id();", "method `std::process::id`"),
    (
        "std::net::TcpStream::connect(\"host:80\");",
        "type `std::net::TcpStream`",
    ),
    ("std::thread::spawn(|| ());", "method `std::thread::spawn`"),
    (
        "std::thread::sleep(std::time::Duration::ZERO);",
        "method `std::thread::sleep`",
    ),
    ("std::io::stdout();", "method `std::io::stdout`"),
    ("println!();", "macro `std::println`"),
    ("eprintln!();", "macro `std::eprintln`"),
    ("print!(\" \");", "macro `std::print`"),
    ("dbg!(1);", "macro `std::dbg`"),
];

/// Whether clippy lets this crate pass, and what it says. It may use what the core may use of jiff.
fn lint(name: &str, code: &str) -> io::Result<(bool, String)> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [workspace]\n\
         [lints.clippy]\nall = {{ level = \"deny\", priority = -1 }}\n\
         [dependencies]\n\
         jiff = {{ version = \"0.2\", default-features = false, features = [\"std\", \"serde\"] }}\n\
         [profile.dev]\ndebug = \"line-tables-only\"\n"
    );
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), code)?;
    fs::copy(tests.join("core/clippy.toml"), folder.join("clippy.toml"))?;
    fs::copy(tests.join("../Cargo.lock"), folder.join("Cargo.lock"))?;
    let output = Command::new(env!("CARGO"))
        .args(["clippy", "--offline", "--color=never", "--target-dir"])
        // What `make lint` has checked of jiff is used again.
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join(".."))
        .current_dir(&folder)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((output.status.success(), said))
}

#[test]
fn clippy_refuses_everything_outside_the_core() {
    let code: String = PLANTED
        .iter()
        .enumerate()
        .map(|(number, (call, _))| {
            format!("pub fn f{number}() {{\n    let _ = {{ {call} }};\n}}\n")
        })
        .collect();
    let (passed, said) = lint("planted", &code).unwrap();
    assert!(!passed);
    let unseen: Vec<_> = PLANTED
        .iter()
        .filter(|(_, named)| !said.contains(&format!("use of a disallowed {named}")))
        .collect();
    assert!(
        unseen.is_empty(),
        "clippy let these pass: {unseen:#?}\nIt said: {said}"
    );
}

#[test]
fn clippy_lets_arguments_and_spans_of_time_pass() {
    let code = "pub fn later(now: jiff::Timestamp, wait: std::time::Duration) -> jiff::Timestamp {\n    \
                now + wait\n}\n";
    let (passed, said) = lint("innocent", code).unwrap();
    assert!(passed, "{said}");
}
