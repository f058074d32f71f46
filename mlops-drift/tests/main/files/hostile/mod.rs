//! Files that somebody built to take memory, time or the process: one error each, within 512 MB.
//!
//! Each file is read by a process of its own, with little address space, which says how much memory it
//! took at most.

mod arrow;
mod parquet;
mod thrift;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use mlops_drift::Error;
use mlops_drift::files::Table;

/// What the process that reads is told, and the line with which it answers.
const FILE: &str = "MLOPS_DRIFT_HOSTILE_FILE";
const PEAK: &str = "peak_kib=";
/// The most that a process may take, and the address space that it is given.
const MOST_KIB: u64 = 512 << 10;
const ADDRESSES_KIB: u64 = 1_000_000;

/// What becomes of a file.
#[derive(Clone, Copy)]
enum End {
    /// An error with these words.
    Refused(&'static str),
    /// Batches, of which the first few are read.
    Read,
}

type Named = (&'static str, fn(&Path), End);

struct Case {
    name: &'static str,
    write: fn(&Path),
    end: End,
}

fn cases() -> Vec<Case> {
    let mut cases = parquet::cases();
    cases.extend(arrow::cases());
    let csv: [Named; 4] = [
        ("endless_line.csv", |path| sparse(path, b"a,b\n1,2\n"), End::Refused("row of more than")),
        ("endless_quote.csv", |path| sparse(path, b"a,b\n1,\""), End::Refused("row of more than")),
        ("endless_header.csv", |path| sparse(path, b"a,b"), End::Refused("row of more than")),
        (
            "columns.csv",
            |path| fs::write(path, vec![b','; 50 << 20]).unwrap(),
            End::Refused("more than 10000 columns"),
        ),
    ];
    cases.extend(csv.map(|(name, write, end)| Case { name, write, end }));
    cases
}

/// A file of a gigabyte that takes no room on the disk.
fn sparse(path: &Path, head: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(head).unwrap();
    file.set_len(1 << 30).unwrap();
}

fn read_a_little(path: &Path) -> Result<(), Error> {
    let table = Table::open(&[path])?;
    let mut left = 3;
    let read = table.scan(None, &mut |_| {
        left -= 1;
        if left > 0 {
            Ok(())
        } else {
            Err(Error::new(mlops_drift::ErrorKind::Unavailable, "enough"))
        }
    });
    match read {
        Err(error) if error.to_string() == "enough" => Ok(()),
        other => other,
    }
}

/// The largest memory that this process ever had.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn each_hostile_file_is_one_error_within_512_mb() {
    if let Ok(path) = std::env::var(FILE) {
        match read_a_little(Path::new(&path)) {
            Ok(()) => println!("\nread"),
            Err(error) => println!("\nerror={error}"),
        }
        println!("{PEAK}{}", peak_kib());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let this = "files::hostile::each_hostile_file_is_one_error_within_512_mb";
    let mut worst = (0, "");
    for Case { name, write, end } in cases() {
        let path = folder.path().join(name);
        write(&path);
        let script = format!(
            "ulimit -v {ADDRESSES_KIB} && exec \"$0\" --exact {this} --nocapture --test-threads 1"
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(&own).env(FILE, &path).env("RUST_BACKTRACE", "0");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = || format!("{name}: {text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}", said());
        let peak = text.lines().find_map(|line| line.strip_prefix(PEAK)).unwrap_or_default();
        let peak: u64 = peak.parse().unwrap_or_else(|_| panic!("{}", said()));
        assert!(peak <= MOST_KIB, "{name} took {peak} KiB");
        worst = worst.max((peak, name));
        let error = text.lines().find_map(|line| line.strip_prefix("error="));
        match (end, error) {
            (End::Read, None) => {}
            (End::Refused(words), Some(error)) => {
                assert!(error.contains(words) && error.contains(name), "{name}: {error}");
            }
            _ => panic!("{}", said()),
        }
        println!("{name}: {} KiB, {}", peak, error.unwrap_or("read"));
        fs::remove_file(path).unwrap();
    }
    println!("most: {worst:?}");
}
