//! Progress on standard error; nothing is drawn where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A sign of life for work of unknown length.
pub(crate) fn spinner(text: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(text);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A bar for `length` pieces of work.
pub(crate) fn bar(length: u64, text: String) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(text);
    let style = ProgressStyle::with_template("{msg:28} [{bar:32}] {pos}/{len} {elapsed}");
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// A bar over bytes, of which the number is set later.
pub(crate) fn bytes(text: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(text);
    let style = ProgressStyle::with_template(
        "{msg:28} [{bar:32}] {binary_bytes}/{binary_total_bytes} {elapsed}",
    );
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
