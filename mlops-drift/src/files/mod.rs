//! Tables in files that may be anything: Parquet, Arrow IPC and CSV, streamed, with one clear error
//! for what is damaged or hostile.
//!
//! ```
//! use mlops_drift::files::Table;
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("monday.csv"), "load,host\n0.5,a\n0.25,\n")?;
//! std::fs::write(folder.path().join("tuesday.csv"), "host,load\nb,1\n")?;
//!
//! let table = Table::open(&[folder.path()])?; // or files, or patterns like "logs/*.csv"
//! let mut loads = Vec::new();
//! table.scan(Some(&["load"]), &mut |batch| {
//!     use mlops_drift::arrow::{array::AsArray, datatypes::Float64Type};
//!     loads.extend(batch["load"].as_primitive::<Float64Type>().iter().flatten());
//!     Ok(())
//! })?;
//! assert_eq!(loads, [0.5, 0.25, 1.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is trusted
//!
//! Nothing that a file says. Sizes, offsets, counts and depths are checked before memory is taken for
//! them ([`Limits`]), pages are decompressed into buffers of the size that was checked, and decoders
//! work behind a fence that turns their panics into errors ([`is_fenced`]). What can't be found out is
//! a value that was altered into another valid one, in a file without checksums.
//!
//! # The formats
//!
//! Told by the content first, then by the ending.
//!
//! | feature | format | taken from folders |
//! |---|---|---|
//! | `parquet` | Parquet, row group by row group, every codec but LZO | `.parquet`, `.parq`, `.pq` |
//! | `ipc` | Arrow IPC, file and stream, plain, LZ4 or Zstandard | `.arrow`, `.arrows`, `.feather`, `.ipc`, `.ipcs` |
//! | `csv` | CSV with a header, separated by comma, semicolon or tab | `.csv`, `.tsv` |

mod fence;
mod find;
mod format;
mod options;
mod order;
mod settle;
mod table;

#[cfg(feature = "csv")]
mod csv;
#[cfg(any(feature = "ipc", feature = "parquet"))]
mod flat;
#[cfg(feature = "ipc")]
mod ipc;
#[cfg(feature = "parquet")]
mod parquet;

pub use fence::is_fenced;
pub use options::{Limits, Progress, TableOptions};
pub use table::Table;
