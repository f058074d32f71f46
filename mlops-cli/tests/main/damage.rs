//! A flipped bit in a stored model, and a disk that is full: said so, named, and nothing lost.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::demo::demo;
use super::{code, json, mlops, stderr};

/// Flips a bit in the object of the first version; its digest, where it lies, and what it was.
fn damage(store: &Path) -> (String, PathBuf, Vec<u8>) {
    let path = store.to_str().unwrap();
    let models =
        json(&mlops(&["--store", path, "models", "show", "flight-delay-demo-1", "--json"]));
    let digest = models["versions"][0]["digest"].as_str().unwrap().to_owned();
    let hex = digest.trim_start_matches("b3:");
    let object = store.join("objects").join(&hex[..2]).join(&hex[2..]);
    let whole = std::fs::read(&object).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&object, bytes).unwrap();
    (digest, object, whole)
}

#[test]
fn a_model_with_a_flipped_bit_is_not_served() {
    let store = demo().copy();
    let (digest, _, _) = damage(store.path());
    let path = store.path().to_str().unwrap();
    let output = mlops(&["--store", path, "serve", "flight-delay-demo-1/1", "--port", "0"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains(digest.trim_start_matches("b3:")), "{}", stderr(&output));
}

#[test]
fn a_model_with_a_flipped_bit_is_made_again_and_so_mended() {
    let store = demo().copy();
    let (digest, object, whole) = damage(store.path());
    let path = store.path().to_str().unwrap();
    let output = mlops(&["demo", "--fast", "--dir", path]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    // It is said which object it was.
    assert!(stderr(&output).contains(&digest), "{}", stderr(&output));
    assert_eq!(std::fs::read(&object).unwrap(), whole);
}

/// A file system of a few megabytes, unmounted at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(&self, options: &str) {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(self.0.path())
            .output()
            .unwrap();
        assert!(mount.status.success(), "{}", stderr(&mount));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A mount that stays behind is seen in the list of mounts; a panic here would hide the test's own.
        Command::new("umount").arg(self.0.path()).status().ok();
    }
}

#[test]
#[ignore = "needs root: mounts a small tmpfs"]
fn a_full_disk_is_said_so_and_with_room_again_the_demo_goes_on() {
    let disk = SmallDisk(tempfile::tempdir().unwrap());
    disk.mount("size=6m");
    let dir = disk.0.path().to_str().unwrap();
    let full = mlops(&["demo", "--fast", "--dir", dir]);
    assert_eq!(code(&full), 5, "{}", stderr(&full));
    assert!(stderr(&full).contains(dir), "{}", stderr(&full));
    disk.mount("remount,size=200m");
    let resumed = mlops(&["demo", "--fast", "--json", "--dir", dir]);
    assert_eq!(code(&resumed), 0, "{}", stderr(&resumed));
    assert_eq!(json(&resumed)["evaluations"], demo().first["evaluations"]);
}
