//! A row of a bench's output: one scenario, for people or for programs.

use serde_json::{Value, json};

use super::course::Bench;
use super::figures::Figures;
use super::scenario::Scenario;

/// What was measured of a scenario, in all rounds.
pub struct Row<'a> {
    pub scenario: Scenario,
    pub bench: &'a Bench,
    pub rounds: &'a [Figures],
}

/// The columns, with their names for programs and how many digits follow the point.
const COLUMNS: [(&str, &str, usize); 8] = [
    ("per second", "per_second", 0),
    ("p50 ms", "p50_ms", 2),
    ("p99 ms", "p99_ms", 2),
    ("p99.9 ms", "p999_ms", 2),
    ("max ms", "max_ms", 2),
    ("CPU us", "cpu_us_per_event", 1),
    ("bytes", "written_bytes_per_event", 0),
    ("peak MiB", "peak_mib", 1),
];

/// What stands above the rows.
pub fn heading() -> String {
    let columns = COLUMNS.iter().map(|(name, ..)| format!("{name:>11}"));
    format!("{:11}{:>10}{}", "scenario", "ratio", columns.collect::<String>())
}

impl Row<'_> {
    pub fn json(&self) -> Value {
        let mut row = Figures::median(self.rounds).json();
        row.insert("scenario".to_owned(), self.scenario.name().into());
        row.insert("baseline".to_owned(), self.scenario.baseline().map(Scenario::name).into());
        row.insert("process".to_owned(), self.scenario.process().into());
        row.insert("checked".to_owned(), self.is_checked().into());
        row.insert("over".to_owned(), self.over().into());
        let of_round = |figures: &Figures| json!({"per_second": figures.get("per_second"), "ratio": figures.get("ratio")});
        row.insert("rounds".to_owned(), self.rounds.iter().map(of_round).collect());
        row.into()
    }

    pub fn text(&self) -> String {
        let median = Figures::median(self.rounds);
        let shown = |name: &str, digits: usize| median.get(name).map(|value| format!("{value:.digits$}"));
        let columns = COLUMNS
            .iter()
            .map(|(_, name, digits)| format!("{:>11}", shown(name, *digits).unwrap_or_default()));
        let ratio = shown("ratio", 2).unwrap_or_default();
        let line = format!("{:11}{ratio:>10}{}", self.scenario.name(), columns.collect::<String>());
        let mut notes = vec![self.over()];
        if let Some(baseline) = self.scenario.baseline() {
            notes.push(format!("ratio to {}", baseline.name()));
        }
        if let (Some(p50), Some(p99)) = (shown("receipt_p50_ms", 2), shown("receipt_p99_ms", 2)) {
            notes.push(format!("answers p50 {p50} ms, p99 {p99} ms"));
        }
        if let (Some(bytes), Some(ready), Some(mib)) =
            (shown("bytes_per_hook", 0), shown("ready_ms", 0), shown("mib_ready", 1))
        {
            notes.push(format!(
                "{bytes} bytes of memory each; after a kill ready in {ready} ms, in {mib} MiB"
            ));
        }
        if let (Some(newest), Some(amid), Some(quiet), Some(oldest)) = (
            shown("newest_page_ms", 1),
            shown("middle_page_ms", 1),
            shown("quiet_page_ms", 1),
            shown("oldest_event_ms", 1),
        ) {
            let (mib, ready) = (shown("mib_ready", 0), shown("ready_ms", 0));
            let most = |name: &str| shown(name, 1).unwrap_or_default();
            notes.push(format!(
                "after a kill ready in {} ms, in {} MiB; then a hook's newest page in {newest} ms (at most {}), one amid in \
                 {amid} ms (at most {}), a quiet hook's in {quiet} ms, the oldest event in {oldest} ms",
                ready.unwrap_or_default(),
                mib.unwrap_or_default(),
                most("newest_page_max_ms"),
                most("middle_page_max_ms"),
            ));
        }
        if !self.is_checked() {
            notes.push("whether each arrived once is not known".to_owned());
        }
        format!("{line}\n{:11}{}", "", notes.join("; "))
    }

    /// Whether each event is known to have arrived once.
    fn is_checked(&self) -> bool {
        self.bench.url.is_none() || !self.scenario.goes_out()
    }

    fn over(&self) -> String {
        let Bench { connections, accept_connections, callers, hooks, fanout, waiting, .. } = self.bench;
        let whose = self.scenario.process();
        match self.scenario {
            Scenario::Handler | Scenario::Accept => {
                format!("{accept_connections} connections; footprint of the {whose}")
            }
            Scenario::File | Scenario::Sled => format!("{callers} events a batch"),
            Scenario::Emit | Scenario::Record => format!("{callers} callers; footprint of the {whose}"),
            Scenario::Fanout => format!("{fanout} hooks, {connections} connections; counted in deliveries"),
            Scenario::Drain => format!("{waiting} events waited; footprint of the {whose}"),
            Scenario::History => {
                let hooks = self.bench.history_hooks();
                format!("{hooks} hooks; counted in deliveries; footprint of the {whose}")
            }
            Scenario::Hooks => format!("{hooks} hooks, {connections} connections; counted in subscriptions"),
            _ => format!("{connections} connections; footprint of the {whose}"),
        }
    }
}
