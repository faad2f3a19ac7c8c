#![allow(clippy::unwrap_used)]

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::*;

fn files(files: &[(&str, &str)]) -> Files {
    let own = |(path, content): &(&str, &str)| ((*path).to_owned(), (*content).to_owned());
    files.iter().map(own).collect()
}

fn spec(volume: &Value) -> VolumeSpec {
    VolumeSpec::deserialize(volume).unwrap()
}

/// A ConfigMap `c` and a Secret `s`.
fn sources(c: &[(&str, &str)], s: &[(&str, &str)]) -> Sources {
    Sources::from([
        ((Kind::ConfigMap, "c".into()), Source::of(c.iter().copied())),
        ((Kind::Secret, "s".into()), Source::of(s.iter().copied())),
    ])
}

fn gathered(volume: &Value, sources: &Sources) -> Result<Files, Refused> {
    gather(&spec(volume), sources, &Given::default())
}

/// `TestMakePayload` of configmap_test.go and the same of secret_test.go and projected_test.go, as
/// far as they are about paths and content.
#[test]
fn the_cases_of_kubernetes_give_the_same_files() {
    let data = [("foo", "foo"), ("bar", "bar")];
    let all = files(&data);
    let cases = [
        ("no overrides", json!([]), false, Some(all)),
        (
            "basic 1",
            json!([{"key": "foo", "path": "path/to/foo.txt"}]),
            false,
            Some(files(&[("path/to/foo.txt", "foo")])),
        ),
        (
            "subdirs 3",
            json!([
                {"key": "foo", "path": "path/to/1/2/3/foo.txt"},
                {"key": "bar", "path": "another/path/to/the/esteemed/bar.bin"},
            ]),
            false,
            Some(files(&[
                ("path/to/1/2/3/foo.txt", "foo"),
                ("another/path/to/the/esteemed/bar.bin", "bar"),
            ])),
        ),
        (
            "non existent key",
            json!([{"key": "zab", "path": "path/to/foo.txt"}]),
            false,
            None,
        ),
        (
            "optional non existent key",
            json!([{"key": "zab", "path": "path/to/foo.txt"}]),
            true,
            Some(Files::new()),
        ),
    ];
    let sources = sources(&data, &data);
    for (case, items, optional, expected) in cases {
        for volume in [
            json!({"configMap": {"name": "c", "items": items, "optional": optional}}),
            json!({"secret": {"secretName": "s", "items": items, "optional": optional}}),
            json!({"projected": {"sources": [{"configMap": {"name": "c", "items": items, "optional": optional}}]}}),
            json!({"projected": {"sources": [{"secret": {"name": "s", "items": items, "optional": optional}}]}}),
        ] {
            assert_eq!(
                gathered(&volume, &sources).ok(),
                expected,
                "{case}: {volume}"
            );
        }
    }
}

/// "no overrides binary data" and the like.
#[test]
fn files_show_binary_data() {
    let mut sources = sources(&[("bar", "bar")], &[]);
    let source = sources.get_mut(&(Kind::ConfigMap, "c".into())).unwrap();
    source.binary_data.insert("foo".into(), "foo".into());
    let found = gathered(&json!({"configMap": {"name": "c"}}), &sources);
    assert_eq!(found.unwrap(), files(&[("foo", "foo"), ("bar", "bar")]));
    let items = json!([{"key": "foo", "path": "x"}]);
    let found = gathered(
        &json!({"configMap": {"name": "c", "items": items}}),
        &sources,
    );
    assert_eq!(found.unwrap(), files(&[("x", "foo")]));
}

#[test]
fn what_is_absent_is_empty_or_refused() {
    let volume = |optional: bool| json!({"secret": {"secretName": "z", "optional": optional}});
    let sources = sources(&[], &[]);
    assert_eq!(gathered(&volume(true), &sources), Ok(Files::new()));
    let refused = gathered(&volume(false), &sources);
    assert_eq!(refused, Err(Refused::NoSource((Kind::Secret, "z".into()))));
}

#[test]
fn later_sources_and_later_items_win() {
    let sources = sources(&[("a", "c"), ("b", "c")], &[("a", "s"), ("token", "s")]);
    let projected = json!({"projected": {"sources": [
        {"configMap": {"name": "c"}},
        {"secret": {"name": "s"}},
        {"serviceAccountToken": {"path": "token"}},
    ]}});
    assert_eq!(
        gathered(&projected, &sources).unwrap(),
        files(&[("a", "s"), ("b", "c"), ("token", "a token")])
    );
    let items = json!({"configMap": {"name": "c", "items": [{"key": "a", "path": "x"}, {"key": "b", "path": "x"}]}});
    let mut volume = Volume::default();
    let written = volume.set_up(&spec(&items), &sources, &Given::default());
    written.unwrap();
    assert_eq!(volume.seen(), files(&[("x", "c")]));
}

/// `TestValidatePath` and `TestValidatePayload` of atomic_writer_test.go.
#[test]
fn the_paths_of_kubernetes_are_taken_as_there() {
    let long = |length: usize| "a".repeat(length);
    let cases = [
        ("i/am/well/behaved.txt".to_owned(), true),
        ("keepyourheaddownandfollowtherules.txt".to_owned(), true),
        (long(4097), false),
        (long(256), false),
        ("/dev/null".to_owned(), false),
        ("..sneaky.txt".to_owned(), false),
        ("hello/there/../../../../../../etc/passwd".to_owned(), false),
        ("hello/../etc/somethingbad".to_owned(), false),
        (String::new(), false),
    ];
    for (path, valid) in cases {
        assert_eq!(is_valid(&path), valid, "{path}");
    }
    let unclean = cleaned(files(&[("foo////bar", "x")])).unwrap();
    assert_eq!(unclean, files(&[("foo/bar", "x")]));
    let in_the_way = cleaned(files(&[("foo", "x"), ("foo/bar", "y")]));
    assert_eq!(in_the_way, Err(Refused::NotAFolder("foo".into())));
}

/// `TestMultipleUpdates` and `TestUpdate`.
#[test]
fn files_are_as_they_were_written_last() {
    let cases: [&[&[(&str, &str)]]; 4] = [
        &[
            &[("foo", "foo"), ("bar", "bar")],
            &[("foo", "foo2"), ("bar", "bar2")],
        ],
        &[
            &[("foo/bar.txt", "1"), ("bar/zib/zab.txt", "1")],
            &[
                ("foo/bar.txt", "2"),
                ("bar/zib/zab.txt", "2"),
                ("add/new/keys.txt", "2"),
            ],
        ],
        &[
            &[
                ("foo/bar.txt", "1"),
                ("foo/blaz/bar.txt", "1"),
                ("zip/zap/zup/fop.txt", "1"),
            ],
            &[("foo/bar.txt", "2"), ("bar/zab.txt", "2")],
            &[("foo/bar.txt", "1")],
        ],
        &[&[("foo", "1")], &[]],
    ];
    for payloads in cases {
        let mut volume = Volume::default();
        for payload in payloads {
            volume.write(files(payload)).unwrap();
            assert_eq!(volume.seen(), files(payload));
        }
    }
}

#[test]
fn nothing_is_written_where_nothing_changed() {
    let mut volume = Volume::default();
    for _ in 0..2 {
        volume.write(files(&[("a", "1"), ("d/b", "1")])).unwrap();
        assert_eq!(volume.written, 1);
    }
    volume.write(files(&[("a", "1")])).unwrap();
    assert_eq!(volume.written, 2);
}

#[test]
fn a_file_stays_what_it_was_when_it_was_bound() {
    let mut volume = Volume::default();
    volume.write(files(&[("a", "1"), ("d/b", "1")])).unwrap();
    let bound: Vec<Bound> = ["a", "./d//b", "..data/a"]
        .map(|path| volume.bind(path).unwrap())
        .into();
    volume.write(files(&[("a", "2")])).unwrap();
    for bound in bound {
        assert_eq!(volume.seen_through(&bound), files(&[("", "1")]));
    }
    assert_eq!(volume.bind("a").unwrap(), Bound::File("2".into()));
}

#[test]
fn a_bound_folder_is_emptied_by_any_change_of_its_volume() {
    for (path, before) in [
        ("d", files(&[("b", "1")])),
        ("..data", files(&[("a", "1"), ("d/b", "1")])),
    ] {
        let mut volume = Volume::default();
        volume.write(files(&[("a", "1"), ("d/b", "1")])).unwrap();
        let bound = volume.bind(path).unwrap();
        assert_eq!(volume.seen_through(&bound), before);
        volume.write(files(&[("a", "2"), ("d/b", "1")])).unwrap();
        assert_eq!(volume.seen_through(&bound), Files::new(), "{path}");
    }
}

#[test]
fn the_root_itself_is_refreshed_though_bound() {
    let mut volume = Volume::default();
    volume.write(files(&[("a", "1")])).unwrap();
    let bound = volume.bind("./").unwrap();
    volume.write(files(&[("a", "2")])).unwrap();
    assert_eq!(volume.seen_through(&bound), files(&[("a", "2")]));
}

#[test]
fn what_is_absent_is_bound_as_an_empty_folder_which_stays_in_its_place() {
    let mut volume = Volume::default();
    volume.write(files(&[("a", "1")])).unwrap();
    assert_eq!(volume.bind("k").unwrap(), Bound::Empty);
    assert!(!volume.is_obstructed());
    volume.write(files(&[("a", "1"), ("k", "1")])).unwrap();
    assert!(volume.is_obstructed());
    assert_eq!(volume.seen(), files(&[("a", "1")]));
    assert_eq!(volume.bind("k").unwrap(), Bound::Empty);
    assert_eq!(volume.bind("..data/k").unwrap(), Bound::File("1".into()));
    // When the key goes, so does the folder.
    volume.write(files(&[("a", "1")])).unwrap();
    volume.write(files(&[("a", "1"), ("k", "2")])).unwrap();
    assert_eq!(volume.bind("k").unwrap(), Bound::File("2".into()));
}

#[test]
fn an_absent_path_in_a_folder_is_made_among_the_files() {
    let mut volume = Volume::default();
    volume.write(files(&[("d/b", "1")])).unwrap();
    let bound = volume.bind("d/x/y").unwrap();
    assert_eq!(volume.seen_through(&bound), Files::new());
    // It is removed as a path that is not to be there.
    volume.write(files(&[("d/b", "1")])).unwrap();
    assert_eq!(volume.written, 2);
}

#[test]
fn a_path_must_lead_down_and_through_folders() {
    let mut volume = Volume::default();
    volume.write(files(&[("a", "1")])).unwrap();
    for path in ["/a", "../a", "a/.."] {
        assert_eq!(volume.bind(path), Err(Refused::Path(path.into())));
    }
    assert_eq!(volume.bind("a/b"), Err(Refused::NotAFolder("a".into())));
}
