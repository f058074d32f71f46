//! Flatbuffers of Arrow (schemas, messages, footers), verified before anything follows an offset.

#[cfg(feature = "ipc")]
use arrow::ipc::{Footer, root_as_footer_with_opts};
use arrow::ipc::{Message, root_as_message_with_opts};
use flatbuffers::{InvalidFlatbuffer, VerifierOptions};

use super::fence::Broken;

/// A table may stand in many places of a flatbuffer, so what it unfolds to is bounded, not its size.
fn options() -> VerifierOptions {
    VerifierOptions {
        max_depth: 64,
        max_tables: 500_000,
        max_apparent_size: 64 << 20,
        ignore_missing_null_terminator: false,
    }
}

pub(super) fn message(bytes: &[u8]) -> Result<Message<'_>, Broken> {
    root_as_message_with_opts(&options(), bytes).map_err(|error| broken(&error))
}

#[cfg(feature = "ipc")]
pub(super) fn footer(bytes: &[u8]) -> Result<Footer<'_>, Broken> {
    root_as_footer_with_opts(&options(), bytes).map_err(|error| broken(&error))
}

fn broken(error: &InvalidFlatbuffer) -> Broken {
    let what = match error {
        InvalidFlatbuffer::TooManyTables
        | InvalidFlatbuffer::ApparentSizeTooLarge
        | InvalidFlatbuffer::DepthLimitReached => {
            return Broken::too_large("an arrow schema is too deep or too wide");
        }
        _ => "an arrow schema or message can't be decoded",
    };
    Broken::corrupt(what)
}
