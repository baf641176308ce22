//! Tables, as wide as the terminal: what must be copied whole stays whole, the rest is cut.

use tabled::builder::Builder;
use tabled::settings::peaker::Peaker;
use tabled::settings::{Padding, Style, Width};

use super::cell::{BOLD, Cell};

/// Cuts only columns that may be, the widest first.
struct Flexible(Vec<bool>);

/// To how many characters a column may be cut.
const NARROWEST: usize = 12;

/// The table's text; `width` is the terminal's. Cells behind the last heading are left out.
pub fn draw(headings: &[&str], rows: &[Vec<Cell>], width: Option<usize>) -> String {
    let mut table = Builder::with_capacity(rows.len() + 1, headings.len());
    table.push_record(headings.iter().map(|heading| format!("{BOLD}{heading}{BOLD:#}")));
    for row in rows {
        table.push_record(row.iter().take(headings.len()).map(Cell::painted));
    }
    let mut table = table.build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    if let Some(width) = width {
        let flexible = (0..headings.len()).map(|at| rows.iter().any(|row| row[at].is_flexible()));
        table.with(Width::truncate(width).suffix("…").priority(Flexible(flexible.collect())));
    }
    let text = table.to_string();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

impl Peaker for Flexible {
    fn peak(&mut self, _least: &[usize], widths: &[usize]) -> Option<usize> {
        let columns = widths.iter().zip(&self.0).enumerate();
        let cuttable = columns.filter(|(_, (width, flexible))| **flexible && **width > NARROWEST);
        cuttable.max_by_key(|(_, (width, _))| **width).map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_aligned_columns_and_cuts_only_what_may_be() {
        let row =
            |id: &str, url: &str| vec![Cell::new(id), Cell::new(url).flexible(), Cell::status("active")];
        let rows = [row("hook_1", "https://example.com/a/long/path"), row("hook_22", "https://b/")];
        let plain = |text: String| anstream::adapter::strip_str(&text).to_string();
        assert_eq!(
            plain(draw(&["ID", "URL", "STATUS"], &rows, Some(40))),
            "ID       URL                    STATUS\n\
             hook_1   https://example.com/…  active\n\
             hook_22  https://b/             active\n"
        );
        let narrow = plain(draw(&["ID", "URL", "STATUS"], &rows, Some(10)));
        assert!(narrow.contains("hook_22") && narrow.contains("https://"), "{narrow}");
    }
}
