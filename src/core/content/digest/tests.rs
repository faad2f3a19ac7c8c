#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::core::content::Reading;
use crate::core::project::reference::{Over, Use, references};
use crate::kinds::Class;
use crate::kinds::SourceKind;

/// Takes what would be hashed.
#[derive(Default)]
struct Written(Vec<u8>);

impl Update for Written {
    fn update(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

fn key() -> DigestKey {
    DigestKey::new(&[7; 32])
}

fn id(namespace: &str) -> SourceId {
    SourceId::new(SourceKind::CONFIG_MAP, namespace, "c")
}

/// ConfigMap `c` in namespace `ns` with these keys.
fn content<'a>(keys: impl IntoIterator<Item = (&'a str, Field, &'a [u8])>) -> SourceContent {
    let digest = |name, bytes| key().key_digest(&id("ns"), name, bytes);
    let keys = keys.into_iter();
    SourceContent::Present(Reading {
        uid: "u".into(),
        resource_version: "1".into(),
        created: jiff::Timestamp::UNIX_EPOCH,
        data_time: None,
        immutable: false,
        keys: keys
            .map(|(name, field, bytes)| (name.into(), (field, digest(name, bytes))))
            .collect(),
    })
}

fn data<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> SourceContent {
    let keys = keys.into_iter();
    content(keys.map(|(name, value)| (name, Field::Data, value.as_bytes())))
}

fn pairs(pairs: &[(&str, &str)]) -> Selection {
    Selection::keys(
        pairs
            .iter()
            .map(|(path, key)| ((*path).into(), (*key).into())),
    )
}

fn reference(uses: impl IntoIterator<Item = Use>) -> Reference {
    let source = (SourceKind::CONFIG_MAP, "c".into());
    let seen = uses.into_iter().map(|one| (one, ["app".into()].into()));
    Reference::new(source, Class::Frozen, seen)
}

fn use_(place: Place, selection: Selection) -> Use {
    Use {
        place,
        selection,
        optional: false,
        required: Box::default(),
        over: Over::default(),
    }
}

fn variables(prefix: &str, hidden: &[&str]) -> Selection {
    Selection::Variables {
        prefix: prefix.into(),
        hidden: hidden.iter().map(|name| (*name).into()).collect(),
    }
}

fn digest(reference: &Reference, content: &SourceContent) -> Digest {
    reference_digest("ns", reference, content, &key()).digest
}

#[test]
fn each_selection_reacts_to_what_it_projects_and_to_nothing_else() {
    let before = || data([("a", "1"), ("b", "1"), ("c", "1")]);
    let cases = [
        (Place::Volume, Selection::Files, "abcn"),
        (Place::Projected, pairs(&[("p", "a")]), "a"),
        (Place::Volume, pairs(&[("p", "a"), ("q", "c")]), "ac"),
        (Place::Env, pairs(&[("V", "b")]), "b"),
        (Place::Env, pairs(&[("V", "n")]), "n"),
        (Place::EnvFrom, variables("", &[]), "abcn"),
        (Place::EnvFrom, variables("", &["b"]), "acn"),
        (Place::EnvFrom, variables("P_", &["P_b", "P_n"]), "ac"),
        (Place::Volume, pairs(&[]), ""),
    ];
    for (place, selection, projected) in cases {
        let reference = reference([use_(place, selection.clone())]);
        let edits = [
            ("a", data([("a", "2"), ("b", "1"), ("c", "1")])),
            ("b", data([("a", "1"), ("b", "2"), ("c", "1")])),
            ("b", data([("a", "1"), ("c", "1")])),
            ("c", data([("a", "1"), ("b", "1"), ("c", "")])),
            ("n", data([("a", "1"), ("b", "1"), ("c", "1"), ("n", "")])),
        ];
        for (edited, after) in edits {
            let changed = digest(&reference, &before()) != digest(&reference, &after);
            let expected = projected.contains(edited);
            assert_eq!(changed, expected, "{place:?} {selection:?}: {edited}");
            let old = reference_digest("ns", &reference, &before(), &key());
            let new = reference_digest("ns", &reference, &after, &key());
            let named: Vec<_> = changed_keys(&old.keys, &new.keys).cloned().collect();
            let names: Vec<&str> = named.iter().map(|name| &**name).collect();
            let expected: &[&str] = if expected { &[edited] } else { &[] };
            assert_eq!(names, expected, "{place:?} {selection:?}: {edited}");
        }
    }
}

#[test]
fn metadata_is_no_content() {
    let reference = reference([use_(Place::Volume, Selection::Files)]);
    let given = data([("a", "1")]);
    let SourceContent::Present(mut reading) = given.clone() else {
        unreachable!()
    };
    reading.uid = "other".into();
    reading.resource_version = "2".into();
    reading.data_time = Some(jiff::Timestamp::MAX);
    assert_eq!(
        reference_digest("ns", &reference, &given, &key()),
        reference_digest("ns", &reference, &SourceContent::Present(reading), &key()),
    );
}

#[test]
fn binary_data_is_seen_by_volumes_only() {
    let binary = content([("a", Field::BinaryData, &b"1"[..])]);
    let text = data([("a", "1")]);
    let none = data([]);
    let cases = [
        (Place::Volume, Selection::Files, true),
        (Place::Projected, pairs(&[("p", "a")]), true),
        (Place::Env, pairs(&[("V", "a")]), false),
        (Place::EnvFrom, variables("", &[]), false),
    ];
    for (place, selection, seen) in cases {
        let reference = reference([use_(place, selection)]);
        let binary = digest(&reference, &binary);
        let like = if seen { &text } else { &none };
        assert_eq!(binary, digest(&reference, like), "{place:?}");
        assert_ne!(
            digest(&reference, &text),
            digest(&reference, &none),
            "{place:?}"
        );
    }
}

#[test]
fn two_keys_under_one_name_in_two_containers() {
    let both = reference([
        use_(Place::Volume, pairs(&[("p", "a")])),
        use_(Place::Volume, pairs(&[("p", "b")])),
    ]);
    let (one, swapped) = (
        data([("a", "1"), ("b", "2")]),
        data([("a", "2"), ("b", "1")]),
    );
    assert_ne!(digest(&both, &one), digest(&both, &swapped));
    let (only_a, only_b) = (data([("a", "1")]), data([("b", "1")]));
    assert_ne!(digest(&both, &only_a), digest(&both, &only_b));
}

#[test]
fn an_absent_source_shows_what_an_empty_one_shows() {
    for selection in [Selection::Files, pairs(&[("p", "a")])] {
        let reference = reference([use_(Place::Volume, selection)]);
        let absent = digest(&reference, &SourceContent::Absent);
        assert_eq!(absent, digest(&reference, &data([])));
        assert_ne!(absent, digest(&reference, &data([("a", "")])));
    }
}

#[test]
fn what_is_missing() {
    let of = |optional: bool, place, required: &[&str]| Use {
        place,
        selection: Selection::Files,
        optional,
        required: required.iter().map(|key| (*key).into()).collect(),
        over: Over::default(),
    };
    let binary = || content([("a", Field::BinaryData, &b"1"[..])]);
    let key = |name: &str| Some(Missing::Key(name.into()));
    let volume = Place::Volume;
    let cases = [
        (
            "absent",
            vec![of(false, volume, &["a"])],
            SourceContent::Absent,
            Some(Missing::Source),
        ),
        (
            "absent, optional",
            vec![of(true, volume, &[])],
            SourceContent::Absent,
            None,
        ),
        (
            "absent, optional in one use only",
            vec![of(true, volume, &[]), of(false, volume, &[])],
            SourceContent::Absent,
            Some(Missing::Source),
        ),
        (
            "all there",
            vec![of(false, volume, &["a", "b"])],
            data([("a", ""), ("b", "")]),
            None,
        ),
        (
            "the first by name",
            vec![of(false, volume, &["b", "z"]), of(false, volume, &["a"])],
            data([]),
            key("a"),
        ),
        (
            "one of two",
            vec![of(false, volume, &["a", "b"])],
            data([("a", "")]),
            key("b"),
        ),
        (
            "binaryData for a volume",
            vec![of(false, volume, &["a"])],
            binary(),
            None,
        ),
        (
            "binaryData for env",
            vec![of(false, Place::Env, &["a"])],
            binary(),
            key("a"),
        ),
    ];
    for (case, uses, content, expected) in cases {
        let projected = reference_digest("ns", &reference(uses), &content, &self::key());
        assert_eq!(projected.missing, expected, "{case}");
    }
    assert_eq!(key("a").unwrap().to_string(), "it has no key a");
}

#[test]
fn from_pod_to_missing_key() {
    let items = json!([{"key": "a", "path": "x"}]);
    let spec = json!({
        "containers": [{"name": "app", "volumeMounts": [{"name": "v"}]}],
        "volumes": [{"name": "v", "configMap": {"name": "c", "items": items}}],
    });
    let found = references(&serde_json::from_value(spec).unwrap()).unwrap();
    let projected = reference_digest("ns", &found[0], &data([("b", "1")]), &key());
    assert_eq!(projected.missing, Some(Missing::Key("a".into())));
    assert_eq!(
        projected.keys,
        ProjectedKeys::from_iter([("a".into(), None)])
    );
}

#[test]
fn namespace_source_and_key_are_bound() {
    let base = id("ns");
    let digests = [
        key().key_digest(&base, "k", b"v"),
        key().key_digest(&id("other"), "k", b"v"),
        key().key_digest(
            &SourceId {
                name: "d".into(),
                ..base.clone()
            },
            "k",
            b"v",
        ),
        key().key_digest(
            &SourceId {
                kind: SourceKind::SECRET,
                ..base.clone()
            },
            "k",
            b"v",
        ),
        key().key_digest(&base, "l", b"v"),
        key().key_digest(&base, "k", b"w"),
        DigestKey::new(&[8; 32]).key_digest(&base, "k", b"v"),
    ];
    let different: BTreeSet<_> = digests.iter().collect();
    assert_eq!(different.len(), digests.len());

    let reference = reference([use_(Place::Volume, Selection::Files)]);
    let of = |namespace| reference_digest(namespace, &reference, &data([]), &key()).digest;
    assert_ne!(of("ns"), of("other"));
}

#[test]
fn written_and_read() {
    let reference = reference([use_(Place::Volume, Selection::Files)]);
    let digest = digest(&reference, &data([("a", "1")]));
    let text = digest.to_string();
    assert_eq!(text.parse(), Ok(digest));
    assert!(text.starts_with(&format!("v1.{}.", key().id())), "{text}");
    assert_eq!(text.len(), 3 + 8 + 1 + 32);
    assert_eq!(serde_json::to_value(digest).unwrap(), json!(text));
    assert_eq!(
        serde_json::from_value::<Digest>(json!(text)).unwrap(),
        digest
    );

    let hex = &text[12..];
    for unknown in [
        "",
        "v1",
        &text.replace("v1.", "v2."),
        &text.replace("v1.", ""),
        &text.to_uppercase(),
        &text[..text.len() - 1],
        &format!("{text}0"),
        &format!("{text}.1"),
        &format!("v1.0123456.{hex}"),
        &format!("v1.0123456g.{hex}"),
        &format!("v1.é23456.{hex}"),
        &format!(" {text}"),
    ] {
        assert_eq!(unknown.parse::<Digest>(), Err(UnknownFormat), "{unknown}");
    }
    let key_digest = key().key_digest(&id("ns"), "k", b"v");
    assert_eq!(key_digest.to_string().parse(), Ok(key_digest));
}

/// Stored digests must be understood by later versions. The values were computed
/// with another implementation of HMAC.
#[test]
fn digests_do_not_change_between_versions() {
    assert_eq!(key().id().to_string(), "0bcce89d");
    let key_digest = key().key_digest(&id("ns"), "a", b"1");
    assert_eq!(key_digest.to_string(), "0bacd324cad27742cc8d16204b22b712");
    let reference = reference([use_(Place::Volume, pairs(&[("p", "a"), ("q", "b")]))]);
    assert_eq!(
        digest(&reference, &data([("a", "1")])).to_string(),
        "v1.0bcce89d.53a4c73da79fa7cb8ad9e30eca9c640f"
    );
}

#[test]
fn the_key_is_never_shown() {
    let shown = format!("{:?} {:#?}", key(), key());
    assert!(
        !shown.contains("7, 7") && !shown.contains("0707"),
        "{shown}"
    );
    assert!(shown.contains(&key().id().to_string()), "{shown}");
    assert_ne!(key().id(), DigestKey::new(&[8; 32]).id());
}

/// Short strings full of what could be mistaken for separators or lengths.
fn hostile() -> impl Strategy<Value = String> {
    "[\\x00\\x01\\x02\\x03ab./,|=]{0,4}"
}

/// Contents and uses over few names, so that pairs of them nearly collide.
fn hostile_seen() -> impl Strategy<Value = Vec<(u8, String, String, Option<[u8; 16]>)>> {
    let digest = prop::option::of(prop_oneof![Just([0; 16]), Just([1; 16]), any::<[u8; 16]>()]);
    prop::collection::vec((0..4_u8, hostile(), hostile(), digest), 0..4)
}

type Entries = BTreeSet<(Place, String, String, Option<KeyDigest>)>;

fn entries(raw: Vec<(u8, String, String, Option<[u8; 16]>)>) -> Entries {
    let places = [Place::Volume, Place::Projected, Place::Env, Place::EnvFrom];
    raw.into_iter()
        .map(|(place, name, key, digest)| {
            (places[usize::from(place)], name, key, digest.map(KeyDigest))
        })
        .collect()
}

fn encoded(namespace: &str, source: &str, entries: &Entries) -> Vec<u8> {
    let keys: Vec<Arc<str>> = entries
        .iter()
        .map(|(_, _, key, _)| key.as_str().into())
        .collect();
    let seen = entries
        .iter()
        .zip(&keys)
        .map(|((place, name, _, digest), key)| Seen {
            place: *place,
            name: Cow::Borrowed(name),
            key,
            digest: *digest,
        });
    let reference = Reference::new((SourceKind::SECRET, source.into()), Class::Live, []);
    encode_reference(Written::default(), namespace, &reference, &seen.collect()).0
}

fn hostile_content() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map("[abn]", "[\\x00-\\x02a]{0,2}", 0..4)
}

fn selection() -> impl Strategy<Value = (Place, Selection)> {
    let names = || prop::sample::subsequence(vec!["a", "b", "n"], 0..3);
    prop_oneof![
        Just((Place::Volume, Selection::Files)),
        names().prop_map(|keys| {
            let keys: Vec<_> = keys.into_iter().map(|key| (key, key)).collect();
            (Place::Projected, pairs(&keys))
        }),
        names().prop_map(|hidden| (Place::EnvFrom, variables("", &hidden))),
        "[abn]".prop_map(|key| (Place::Env, pairs(&[("V", &key)]))),
    ]
}

/// What a container sees, by the rules written down once more: the model that
/// digests are compared with.
fn model(uses: &[(Place, Selection)], content: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (place, selection) in uses {
        let mut see = |name: &str, key: &str| {
            let value = content.get(key);
            seen.insert(format!("{place:?} {name:?} {key:?} {value:?}"));
        };
        match selection {
            Selection::Files => content.keys().for_each(|key| see(key, key)),
            Selection::Variables { hidden, .. } => content
                .keys()
                .filter(|key| !hidden.iter().any(|name| **name == ***key))
                .for_each(|key| see(key, key)),
            Selection::Keys(selected) => selected.iter().for_each(|(name, key)| see(name, key)),
        }
    }
    seen
}

proptest! {
    #[test]
    fn no_two_projected_contents_encode_alike(
        (ns1, ns2) in (hostile(), hostile()),
        (source1, source2) in (hostile(), hostile()),
        (seen1, seen2) in (hostile_seen(), hostile_seen()),
    ) {
        let (seen1, seen2) = (entries(seen1), entries(seen2));
        let same = (&ns1, &source1, &seen1) == (&ns2, &source2, &seen2);
        let alike = encoded(&ns1, &source1, &seen1) == encoded(&ns2, &source2, &seen2);
        prop_assert_eq!(same, alike);
    }

    #[test]
    fn no_two_keys_encode_alike(
        a in (hostile(), hostile(), hostile(), hostile()),
        b in (hostile(), hostile(), hostile(), hostile()),
    ) {
        let encode = |(namespace, name, key, bytes): &(String, String, String, String)| {
            let source = SourceId::new(SourceKind::SECRET, namespace.as_str(), name.as_str());
            encode_key(Written::default(), &source, key, bytes.as_bytes()).0
        };
        prop_assert_eq!(a == b, encode(&a) == encode(&b));
        prop_assert_eq!(encode(&a), encode(&a.clone()));
    }

    /// Moving a boundary between neighbours: what would collide if lengths were left out.
    #[test]
    fn boundaries_count(text in "[ab\\x00]{2,6}", cut in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let (cut, other) = (cut.index(text.len()), other.index(text.len()));
        let of = |at: usize| {
            let (name, key) = text.split_at(at);
            encoded("n", "s", &entries(vec![(0, name.to_owned(), key.to_owned(), None)]))
        };
        prop_assert_eq!(cut == other, of(cut) == of(other));
    }

    #[test]
    fn digests_differ_exactly_where_containers_see_a_difference(
        uses in prop::collection::vec(selection(), 1..3),
        (before, after) in (hostile_content(), hostile_content()),
    ) {
        let reference = reference(uses.iter().cloned().map(|(place, selection)| use_(place, selection)));
        let read = |content: &BTreeMap<String, String>| {
            data(content.iter().map(|(key, value)| (key.as_str(), value.as_str())))
        };
        let old = reference_digest("ns", &reference, &read(&before), &key());
        let new = reference_digest("ns", &reference, &read(&after), &key());
        let differ = model(&uses, &before) != model(&uses, &after);
        prop_assert_eq!(old.digest != new.digest, differ);
        prop_assert_eq!(changed_keys(&old.keys, &new.keys).next().is_some(), differ);
    }
}
