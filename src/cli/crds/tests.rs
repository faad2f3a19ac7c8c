//! The CustomResourceDefinitions as files.

use std::path::Path;

use super::*;

/// `make generate` writes them.
#[test]
fn the_committed_files_are_what_is_generated() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    for crd in crd::all() {
        let file = directory.join(file_name(&crd));
        let committed = fs::read_to_string(&file).unwrap_or_default();
        let generated = file_text(&crd).unwrap();
        assert!(
            committed == generated,
            "{} is old: run `make generate`",
            file.display()
        );
    }
    let files = fs::read_dir(&directory)
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name() != "kustomization.yaml")
        .count();
    assert_eq!(files, crd::all().len(), "a file of a kind that is no more");
}

#[test]
fn the_yaml_says_what_the_types_say() {
    for crd in crd::all() {
        let read: CustomResourceDefinition =
            serde_saphyr::from_str(&file_text(&crd).unwrap()).unwrap();
        assert_eq!(read, crd);
    }
}

#[test]
fn an_output_directory_gets_one_file_each() {
    let directory = tempfile::tempdir().unwrap();
    let output_dir = directory.path().join("new/crds");
    run(&Args {
        output_dir: Some(output_dir.clone()),
    })
    .unwrap();
    let files = fs::read_dir(output_dir).unwrap().count();
    assert_eq!(files, 3);
}
