//! The log of a replica: a file that its processes append to by themselves, so that they outlive
//! whoever started them.
//!
//! It is kept short by giving its oldest blocks back to the disk while the file's length goes on
//! growing. Nothing that is written meanwhile is lost, as it would be by copying and truncating. On a
//! file system that can't do so it is truncated, with a line that says so in the service's own log.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use mlops_core::{Error, Result};
use rustix::fs::{FallocateFlags, SeekFrom as Whence, fallocate, seek};

/// Opens the log for a new process.
pub(super) fn open(path: &Path) -> Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|error| Error::io("open a replica's log", path, error))
}

/// Gives back all but the newest half of `keep` bytes, once there are more than `keep`.
pub(super) fn trim(path: &Path, keep: u64) -> Result<()> {
    let wrong = |error| Error::io("shorten a replica's log", path, error);
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(wrong)?;
    let length = file.metadata().map_err(wrong)?.len();
    if length.saturating_sub(first_byte(&file)) <= keep {
        return Ok(());
    }
    let cut = length - keep / 2;
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    if let Err(error) = fallocate(&file, flags, 0, cut) {
        tracing::warn!(path = %path.display(), %error, "cannot shorten a log without loss, it is emptied");
        file.set_len(0).map_err(wrong)?;
        file.rewind().map_err(wrong)?;
    }
    Ok(())
}

/// Where the kept part begins: behind what was given back.
fn first_byte(file: &File) -> u64 {
    seek(file, Whence::Data(0)).unwrap_or(0)
}

/// The lines that are kept, oldest first, or only the last `tail`.
pub(super) fn lines(path: &Path, tail: Option<usize>) -> Result<Vec<String>> {
    let wrong = |error| Error::io("read a replica's log", path, error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(error)),
    };
    let start = first_byte(&file);
    file.seek(SeekFrom::Start(start)).map_err(wrong)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(wrong)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\0');
    // What was given back ended in the middle of a line.
    let whole = match (start, text.find('\n')) {
        (0, _) => text,
        (_, Some(end)) => &text[end + 1..],
        (_, None) => "",
    };
    let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
    if let Some(tail) = tail {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_long_log_is_cut_at_its_beginning_while_it_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut writer = open(&path).unwrap();
        for round in 0..20 {
            for line in 0..1_000 {
                writeln!(writer, "round {round} line {line:04}").unwrap();
            }
            trim(&path, 64 << 10).unwrap();
        }
        writeln!(writer, "the last").unwrap();
        let kept = lines(&path, None).unwrap();
        assert!(kept.len() > 1_000 && kept.len() < 6_000, "{}", kept.len());
        assert_eq!(kept.last().unwrap(), "the last");
        assert_eq!(kept[kept.len() - 2], "round 19 line 0999");
        assert!(kept.iter().all(|line| line.starts_with("round") || line == "the last"));
        assert!(path.metadata().unwrap().blocks() * 512 <= 160 << 10);
        assert_eq!(lines(&path, Some(2)).unwrap(), ["round 19 line 0999", "the last"]);
        assert!(lines(&folder.path().join("none"), None).unwrap().is_empty());
    }
}
