//! Files of `KUBECONFIG`.

use super::*;

#[test]
fn files_that_are_missing_are_left_out_of_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, current: &str| {
        std::fs::write(path(name), format!("current-context: {current}\n")).unwrap();
    };
    let current = |names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
        let kubeconfig = merged(&paths).unwrap()?;
        kubeconfig.current_context
    };
    write("a", "of-a");
    write("b", "of-b");
    assert_eq!(current(&["missing", "a", "b"]).as_deref(), Some("of-a"));
    assert_eq!(current(&["b", "missing", "a"]).as_deref(), Some("of-b"));
    assert_eq!(current(&["missing"]), None);
    // One that is there and broken is no missing one.
    std::fs::write(path("broken"), "a: [").unwrap();
    assert!(merged(&[path("broken"), path("a")]).is_err());
}
