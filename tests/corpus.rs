//! The fuzz targets, run once for each input of their corpus.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests, and what they share with the fuzz targets"
)]

use std::path::Path;

#[path = "../fuzz/targets/mod.rs"]
mod targets;

/// Runs a target for each file of its corpus, and for each file cut short or with a
/// byte changed.
fn replay(name: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut inputs = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let input = std::fs::read(file.unwrap().path()).unwrap();
        run(&input);
        inputs += 1;
        let step = input.len() / 64 + 1;
        for at in (0..input.len()).step_by(step) {
            run(&input[..at]);
            let mut changed = input.clone();
            for byte in [0, b'"', b'{', b'9', 0xff] {
                changed[at] = byte;
                run(&changed);
            }
        }
    }
    assert!(inputs > 0, "no corpus of {name}");
}

macro_rules! replays {
    ($($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name), targets::$name::run);
            }
        )+
    };
}

replays! { annotations digest pod_spec policy watch }
