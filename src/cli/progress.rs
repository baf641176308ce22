//! Progress of long work: a bar on the standard error, on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar moves although nothing has happened.
const TICK: Duration = Duration::from_millis(200);

/// A bar for so many bytes.
pub fn of_bytes(total: u64, what: &str) -> ProgressBar {
    bar(total, what, "{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
}

/// A bar for so many things.
pub fn of_things(total: u64, what: &str) -> ProgressBar {
    bar(total, what, "{msg} {wide_bar} {human_pos}/{human_len} {eta}")
}

/// Something that counts bytes while nobody knows how many there will be.
pub fn of_flow(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {bytes} {bytes_per_sec}");
    let bar = endless(what);
    bar.set_style(style.expect("the template is the one above"));
    bar
}

/// Something that moves while nobody knows how long it takes.
pub fn endless(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

fn bar(total: u64, what: &str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the template is one of the two above");
    let bar = ProgressBar::new(total).with_style(style).with_message(what.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}
