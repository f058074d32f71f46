//! Trees: from entries, from a plain folder, from a git work tree.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;
use crate::fingerprint::tree::{Notice, read_provenance};

fn paths(tree: &Tree) -> Vec<String> {
    tree.entries().iter().map(TreeEntry::shown_path).collect()
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn git(root: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]);
    command.args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]);
    let output = command.args(args).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn repository() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "."]);
    write(folder.path(), ".gitignore", "ignored/\n");
    write(folder.path(), "src/main.rs", "fn main() {}");
    write(folder.path(), "gone.rs", "");
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-q", "-m", "first"]);
    folder
}

#[test]
fn entries_are_sorted_by_bytes_and_unique() {
    let content = Digest::of(b"");
    let entry = |path: &str| TreeEntry::new(path, Mode::File, content);
    let tree = Tree::new(["b", "a/b", "a-b", "B"].map(entry)).unwrap();
    assert_eq!(paths(&tree), ["B", "a-b", "a/b", "b"]);
    assert_eq!(tree.notices(), [Notice::SameWhenCaseIsIgnored("B".into(), "b".into())]);
    assert!(Tree::new(["a", "a"].map(entry)).is_err());
    assert!(Tree::new([entry("")]).is_err());
}

#[test]
fn a_path_cannot_pose_as_two_lines() {
    let content = Digest::of(b"");
    let entry = |path: &str| TreeEntry::new(path, Mode::File, content);
    let line = format!("a\n100644 {} 1:b", content.to_hex());
    let one = Tree::new([entry(&line)]).unwrap();
    let two = Tree::new([entry("a"), entry("b")]).unwrap();
    assert_ne!(one.digest(), two.digest());
}

#[test]
fn mode_content_and_path_each_change_the_digest() {
    let tree = |path: &str, mode, content: &[u8]| {
        Tree::new([TreeEntry::new(path, mode, Digest::of(content))]).unwrap()
    };
    let first = tree("a", Mode::File, b"x");
    let others = [
        tree("b", Mode::File, b"x"),
        tree("a", Mode::Executable, b"x"),
        tree("a", Mode::File, b"y"),
    ];
    for other in &others {
        assert_ne!(first.digest(), other.digest());
    }
    assert_eq!(first.changed_paths(&others[0]), ["a", "b"]);
    assert_eq!(first.changed_paths(&others[1]), ["a"]);
    assert!(first.changed_paths(&first).is_empty());
}

#[test]
fn a_plain_folder_is_read_without_git_and_target() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["src/lib.rs", "target/debug/x", ".git/config", "data/target/y", ".hidden"] {
        write(folder.path(), path, path);
    }
    let tree = Tree::read_folder(folder.path()).unwrap();
    assert_eq!(paths(&tree), [".hidden", "src/lib.rs"]);
    assert_eq!(tree.entries()[1].content, Digest::of(b"src/lib.rs"));
    let error = Tree::read(&folder.path().join("absent")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn large_files_pointers_and_notebooks() {
    let folder = tempfile::tempdir().unwrap();
    let large = "x".repeat(100_000);
    write(folder.path(), "large", &large);
    write(folder.path(), "w.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n");
    write(
        folder.path(),
        "a.ipynb",
        r#"{"cells":[{"cell_type":"code","source":"a","outputs":[]}]}"#,
    );
    write(folder.path(), "b.ipynb", "{");
    let tree = Tree::read(folder.path()).unwrap();
    assert_eq!(tree.entries()[0].content, Digest::of(br#"["l",[["s","a"]]]"#));
    assert_eq!(tree.entries()[1].content, Digest::of(b"{"));
    assert_eq!(tree.entries()[2].content, Digest::of(large.as_bytes()));
    let mut notices: Vec<String> = tree.notices().iter().map(ToString::to_string).collect();
    notices.sort();
    let expected = [
        "git lfs has not fetched the content: path=w.bin",
        "not a notebook, taken as it stands: path=b.ipynb",
    ];
    assert_eq!(notices, expected);
}

#[test]
fn a_work_tree_has_tracked_and_new_files_but_no_ignored_or_deleted_ones() {
    let folder = repository();
    let root = folder.path();
    let clean = Tree::read(root).unwrap();
    assert_eq!(paths(&clean), [".gitignore", "gone.rs", "src/main.rs"]);
    write(root, "ignored/big.bin", "x");
    assert_eq!(Tree::read(root).unwrap(), clean);
    write(root, "new file.rs", "x");
    fs::remove_file(root.join("gone.rs")).unwrap();
    let dirty = Tree::read(root).unwrap();
    assert_eq!(paths(&dirty), [".gitignore", "new file.rs", "src/main.rs"]);
    assert_eq!(clean.changed_paths(&dirty), ["gone.rs", "new file.rs"]);
    assert_eq!(paths(&Tree::read(&root.join("src")).unwrap()), ["main.rs"]);
    assert_eq!(paths(&Tree::read(&root.join("ignored")).unwrap()), ["big.bin"]);
}

#[test]
fn committing_changes_the_provenance_and_not_the_digest() {
    let folder = repository();
    let root = folder.path();
    write(root, "new.rs", "x");
    let (before, dirty) = (Tree::read(root).unwrap(), read_provenance(root).unwrap().unwrap());
    git(root, &["add", "."]);
    git(root, &["commit", "-q", "-m", "second"]);
    let (after, clean) = (Tree::read(root).unwrap(), read_provenance(root).unwrap().unwrap());
    assert_eq!(before.digest(), after.digest());
    assert!(dirty.dirty && !clean.dirty);
    assert_ne!(dirty.commit, clean.commit);
    assert_eq!(clean.branch.as_deref(), Some("main"));
    assert_eq!(clean.commit.as_deref().map(str::len), Some(40));
    let with = |provenance| vector_run().provenance(provenance).build().declared_key();
    assert_eq!(with(Some(clean)), with(None));
}

#[test]
fn there_is_no_provenance_without_a_work_tree_and_no_commit_before_the_first() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read_provenance(folder.path()).unwrap(), None);
    git(folder.path(), &["init", "-q", "."]);
    let provenance = read_provenance(folder.path()).unwrap().unwrap();
    assert_eq!(provenance.commit, None);
    assert!(!provenance.dirty);
}

#[test]
fn a_work_tree_that_git_refuses_is_an_error_and_not_another_digest() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ".git/HEAD", "nonsense");
    write(folder.path(), "a", "a");
    assert_eq!(Tree::read(folder.path()).unwrap_err().kind(), ErrorKind::Failed);
    assert_eq!(read_provenance(folder.path()).unwrap_err().kind(), ErrorKind::Failed);
}

#[test]
fn a_submodule_has_a_tree_of_its_own() {
    let (inner, outer) = (repository(), repository());
    let url = inner.path().to_str().unwrap();
    git(outer.path(), &["submodule", "--quiet", "add", url, "sub"]);
    let tree = Tree::read(outer.path()).unwrap();
    let sub = tree.entries().iter().find(|entry| entry.path == b"sub").unwrap();
    assert_eq!(sub.mode, Mode::Submodule);
    let inside = Tree::read(inner.path()).unwrap().digest();
    assert_eq!(sub.content.as_bytes(), inside.as_bytes());
    write(outer.path(), "sub/new.rs", "x");
    let changed = Tree::read(outer.path()).unwrap();
    assert_eq!(tree.changed_paths(&changed), ["sub"]);
    fs::remove_dir_all(outer.path().join("sub")).unwrap();
    fs::create_dir(outer.path().join("sub")).unwrap();
    assert!(Tree::read(outer.path()).is_ok(), "not checked out");
}

#[cfg(unix)]
#[test]
fn links_executables_and_paths_of_any_bytes() {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = repository();
    let root = folder.path();
    symlink("nowhere/at all", root.join("link")).unwrap();
    symlink("src", root.join("folder-link")).unwrap();
    write(root, "run.sh", "true");
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff\xfe\n")), "x").unwrap();
    let tree = Tree::read_git(root).unwrap();
    assert_eq!(tree, Tree::read_folder(root).unwrap(), "git and folder agree");
    let find = |path: &[u8]| tree.entries().iter().find(|entry| entry.path == path).unwrap();
    assert_eq!(find(b"link").mode, Mode::Link);
    assert_eq!(find(b"link").content, Digest::of(b"nowhere/at all"));
    assert_eq!(find(b"folder-link").content, Digest::of(b"src"));
    assert_eq!(find(b"run.sh").mode, Mode::Executable);
    assert_eq!(find(b"\xff\xfe\n").shown_path(), "\\xff\\xfe\\n");
}
