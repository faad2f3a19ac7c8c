#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::kinds::Rv;
use crate::kinds::SourceKind;

fn key() -> DigestKey {
    DigestKey::new(&[7; 32])
}

fn id(kind: SourceKind) -> SourceId {
    SourceId::new(kind, "ns", "x")
}

fn object(kind: SourceKind, fields: Value) -> Value {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": kind.as_str(),
        "metadata": {
            "name": "x",
            "namespace": "ns",
            "uid": "0a1b",
            "resourceVersion": "42",
            "creationTimestamp": "2026-01-02T03:04:05Z",
        },
    });
    for (name, value) in fields.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

fn decode(kind: SourceKind, object: &Value) -> Result<Reading, DecodeError> {
    decode_source(&id(kind), object.to_string().as_bytes(), &key())
}

fn digest(kind: SourceKind, name: &str, bytes: &[u8]) -> KeyDigest {
    key().key_digest(&id(kind), name, bytes)
}

#[test]
fn a_config_map() {
    let given = object(
        SourceKind::CONFIG_MAP,
        json!({
            "data": {"a": "text \n\"é\u{1F600}", "empty": ""},
            "binaryData": {"b": "AP8="},
            "immutable": true,
        }),
    );
    let reading = decode(SourceKind::CONFIG_MAP, &given).unwrap();
    assert_eq!((&*reading.uid, &*reading.resource_version), ("0a1b", "42"));
    assert_eq!(reading.rv(), Some(Rv(42)));
    assert_eq!(
        reading.created,
        "2026-01-02T03:04:05Z".parse::<ServerTime>().unwrap()
    );
    assert_eq!(reading.data_time, None);
    let d = |name, bytes| digest(SourceKind::CONFIG_MAP, name, bytes);
    let expected = BTreeMap::from([
        (
            "a".into(),
            (Field::Data, d("a", "text \n\"é\u{1F600}".as_bytes())),
        ),
        ("b".into(), (Field::BinaryData, d("b", &[0, 255]))),
        ("empty".into(), (Field::Data, d("empty", b""))),
    ]);
    assert_eq!(reading.keys, expected);
}

#[test]
fn a_secret() {
    let given = object(
        SourceKind::SECRET,
        json!({"type": "Opaque", "data": {"a": "AP8=", "null": null}, "stringData": {"s": "x"}}),
    );
    let reading = decode(SourceKind::SECRET, &given).unwrap();
    let d = |name, bytes| digest(SourceKind::SECRET, name, bytes);
    let expected = BTreeMap::from([
        ("a".into(), (Field::Data, d("a", &[0, 255]))),
        ("null".into(), (Field::Data, d("null", b""))),
    ]);
    assert_eq!(reading.keys, expected);
}

#[test]
fn without_content() {
    for fields in [
        json!({}),
        json!({"data": null, "binaryData": null}),
        json!({"data": {}}),
    ] {
        for kind in SourceKind::all() {
            let reading = decode(kind, &object(kind, fields.clone())).unwrap();
            assert!(reading.keys.is_empty(), "{kind} {fields}");
        }
    }
}

#[test]
fn data_goes_before_binary_data_in_either_order() {
    let metadata = r#""metadata":{"name":"x","namespace":"ns","uid":"u","resourceVersion":"1","creationTimestamp":"2026-01-02T03:04:05Z"}"#;
    let (data, binary) = (r#""data":{"k":"text"}"#, r#""binaryData":{"k":"AP8="}"#);
    for body in [
        format!("{{{data},{binary},{metadata}}}"),
        format!("{{{metadata},{binary},{data}}}"),
    ] {
        let reading = decode_source(&id(SourceKind::CONFIG_MAP), body.as_bytes(), &key()).unwrap();
        let text = digest(SourceKind::CONFIG_MAP, "k", b"text");
        assert_eq!(reading.keys["k"], (Field::Data, text), "{body}");
    }
}

#[test]
fn data_time_is_the_newest_of_those_who_own_content() {
    let entry = |time: &str, fields: Value| json!({"time": time, "fieldsV1": fields});
    let (t1, t2, t3) = (
        "2026-02-01T00:00:00Z",
        "2026-02-01T00:00:01Z",
        "2026-02-01T00:00:02Z",
    );
    let created = "2026-01-02T03:04:05Z";
    let cases = [
        ("none", json!([]), None),
        ("null", json!(null), None),
        (
            "of data",
            json!([entry(t1, json!({"f:data": {".": {}, "f:k": {}}}))]),
            Some(t1),
        ),
        (
            "of binaryData",
            json!([entry(t1, json!({"f:binaryData": {}}))]),
            Some(t1),
        ),
        (
            "the newest, not the last",
            json!([
                entry(t2, json!({"f:data": {"f:a": {}}})),
                entry(t1, json!({"f:data": {"f:b": {}}})),
                entry(t3, json!({"f:metadata": {"f:labels": {"f:data": {}}}})),
            ]),
            Some(t2),
        ),
        (
            "of metadata only",
            json!([entry(t3, json!({"f:metadata": {}}))]),
            Some(created),
        ),
        (
            "malformed ones beside a good one",
            json!([7, {"time": 1, "fieldsV1": "f:data"}, entry("soon", json!({"f:data": {}})),
                entry(t1, json!({"f:data": {}}))]),
            Some(t1),
        ),
    ];
    for (case, managed, expected) in cases {
        let mut given = object(SourceKind::CONFIG_MAP, json!({}));
        given["metadata"]["managedFields"] = managed;
        let reading = decode(SourceKind::CONFIG_MAP, &given).unwrap();
        let expected = expected.map(|time| time.parse::<ServerTime>().unwrap());
        assert_eq!(reading.data_time, expected, "{case}");
    }
}

#[test]
fn a_version_that_is_no_number_is_kept() {
    let mut given = object(SourceKind::SECRET, json!({}));
    given["metadata"]["resourceVersion"] = json!("v7-opaque");
    let reading = decode(SourceKind::SECRET, &given).unwrap();
    assert_eq!(
        (&*reading.resource_version, reading.rv()),
        ("v7-opaque", None)
    );
}

/// Errors name the object and the place, and quote nothing.
#[test]
fn errors_quote_nothing() {
    const CANARY: &str = "hunter2";
    let good = object(SourceKind::SECRET, json!({"data": {"k": "aHVudGVyMg=="}})).to_string();
    let with = |fields: Value| object(SourceKind::SECRET, fields).to_string();
    let metadata = |field: &str, value: Value| {
        let mut given = object(SourceKind::SECRET, json!({"data": {"k": "aHVudGVyMg=="}}));
        given["metadata"][field] = value;
        given.to_string()
    };
    let kind = id(SourceKind::SECRET);
    let cases = [
        ("no JSON", format!("<html>{CANARY}"), "Syntax"),
        ("nothing", String::new(), "Truncated"),
        ("cut off", good[..good.len() - 3].to_owned(), "Truncated"),
        ("trailing text", format!("{good} {CANARY}"), "Syntax"),
        ("a list", format!("[\"{CANARY}\"]"), "Shape"),
        ("a text", format!("\"{CANARY}\""), "Shape"),
        ("data of text", with(json!({"data": CANARY})), "Shape"),
        ("data of a list", with(json!({"data": [CANARY]})), "Shape"),
        (
            "a value of an object",
            with(json!({"data": {"k": {CANARY: CANARY}}})),
            "Shape",
        ),
        (
            "a value of a number",
            with(json!({"data": {"k": 11_223_344}})),
            "Shape",
        ),
        ("a kind of a number", with(json!({"kind": 7})), "Shape"),
        (
            "metadata of text",
            with(json!({"metadata": CANARY})),
            "Shape",
        ),
        (
            "no base64",
            with(json!({"data": {"k": format!("{CANARY}!")}})),
            "Base64",
        ),
        (
            "base64 without padding",
            with(json!({"data": {"k": "aHVudGVyMg"}})),
            "Base64",
        ),
        (
            "base64 with a line break",
            with(json!({"data": {"k": "aHVu\ndGVyMg=="}})),
            "Base64",
        ),
        ("no metadata", with(json!({"metadata": {}})), "OtherObject"),
        (
            "another name",
            metadata("name", json!(CANARY)),
            "OtherObject",
        ),
        (
            "another namespace",
            metadata("namespace", json!(CANARY)),
            "OtherObject",
        ),
        (
            "another kind",
            with(json!({"kind": "ConfigMap"})),
            "OtherObject",
        ),
        ("no uid", metadata("uid", json!(null)), "Metadata"),
        (
            "no version",
            metadata("resourceVersion", json!(CANARY.len())),
            "Metadata",
        ),
        (
            "no time",
            metadata("creationTimestamp", json!(CANARY)),
            "Metadata",
        ),
    ];
    for (case, body, variant) in cases {
        let error = decode_source(&kind, body.as_bytes(), &key()).unwrap_err();
        let (shown, debug) = (error.to_string(), format!("{error:?}"));
        assert!(debug.starts_with(variant), "{case}: {debug}");
        assert!(shown.starts_with("Secret ns/x: "), "{case}: {shown}");
        for text in [&shown, &debug] {
            for leak in [CANARY, "aHVudGVy", "11223344"] {
                assert!(!text.contains(leak), "{case}: {text}");
            }
        }
    }
    let mut not_utf8 = good.into_bytes();
    let at = not_utf8.windows(4).position(|w| w == b"aHVu").unwrap();
    not_utf8[at] = 0xff;
    let error = decode_source(&kind, &not_utf8, &key()).unwrap_err();
    assert!(matches!(error, DecodeError::Syntax { .. }), "{error:?}");
}

#[test]
fn large_objects() {
    let large = "x".repeat(1 << 20);
    let encoded = BASE64.encode(&large);
    let given = object(SourceKind::SECRET, json!({"data": {"k": encoded}}));
    let reading = decode(SourceKind::SECRET, &given).unwrap();
    let expected = digest(SourceKind::SECRET, "k", large.as_bytes());
    assert_eq!(reading.keys["k"], (Field::Data, expected));

    let many: serde_json::Map<_, _> = (0..1000).map(|n| (format!("k{n}"), json!("v"))).collect();
    let given = object(SourceKind::CONFIG_MAP, json!({ "data": many }));
    let keys = decode(SourceKind::CONFIG_MAP, &given).unwrap().keys;
    let different: std::collections::BTreeSet<_> = keys.values().collect();
    assert_eq!((keys.len(), different.len()), (1000, 1000));
}

/// Writes a JSON string with every character escaped, or none that needn't be.
fn json_text(text: &str, escaped: bool) -> String {
    if !escaped {
        return Value::from(text).to_string();
    }
    let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
    format!("\"{}\"", units.collect::<String>())
}

/// Writes a ConfigMap or Secret in some formatting.
fn body(
    kind: SourceKind,
    data: &[(String, Vec<u8>)],
    escaped: bool,
    space: &str,
    data_first: bool,
) -> String {
    let entries = data.iter().map(|(name, bytes)| {
        let value = match kind.encoded {
            false => String::from_utf8_lossy(bytes).into_owned(),
            true => BASE64.encode(bytes),
        };
        format!(
            "{}{space}:{}{space}",
            json_text(name, escaped),
            json_text(&value, escaped)
        )
    });
    let entries = entries.collect::<Vec<_>>().join(&format!(",{space}"));
    let data = format!("{space}\"data\":{{{entries}}}");
    let metadata = r#""metadata":{"name":"x","namespace":"ns","uid":"u","resourceVersion":"1","creationTimestamp":"2026-01-02T03:04:05Z"}"#;
    if data_first {
        format!("{{{data},{metadata}}}{space}")
    } else {
        format!("{{{metadata}{space},{data}}}")
    }
}

fn contents() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let text = any::<String>().prop_map(String::into_bytes);
    prop::collection::btree_map("[-._a-zA-Z0-9]{1,8}|\\PC{1,4}", text, 0..6)
}

proptest! {
    #[test]
    fn formatting_and_order_make_no_difference(
        contents in contents(),
        order in any::<prop::sample::Index>(),
        escaped: bool,
        space in "[ \\t\\r\\n]{0,3}",
        data_first: bool,
        secret: bool,
    ) {
        let kind = if secret { SourceKind::SECRET } else { SourceKind::CONFIG_MAP };
        let sorted: Vec<_> = contents.into_iter().collect();
        let mut shuffled = sorted.clone();
        if !shuffled.is_empty() {
            shuffled.rotate_left(order.index(sorted.len()));
            shuffled.reverse();
        }
        let read = |body: String| decode_source(&id(kind), body.as_bytes(), &key());
        let plain = read(body(kind, &sorted, false, "", false)).unwrap();
        let odd = read(body(kind, &shuffled, escaped, &space, data_first)).unwrap();
        prop_assert_eq!(&plain, &odd);
        let direct = sorted.iter().map(|(name, bytes)| (
            Arc::<str>::from(name.as_str()),
            (Field::Data, digest(kind, name, bytes)),
        ));
        prop_assert_eq!(plain.keys, direct.collect());
    }

    #[test]
    fn no_body_panics(body in any::<Vec<u8>>(), cut in any::<prop::sample::Index>()) {
        let _ = decode_source(&id(SourceKind::SECRET), &body, &key());
        let good = object(SourceKind::SECRET, json!({"data": {"k": "aHVudGVyMg=="}})).to_string();
        let cut = cut.index(good.len());
        prop_assert!(decode_source(&id(SourceKind::SECRET), &good.as_bytes()[..cut], &key()).is_err());
    }
}
