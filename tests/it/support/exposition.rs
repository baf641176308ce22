//! The Prometheus text format, read strictly: what a scraper may refuse or misread is a failure here.
//!
//! Every family has a help text and a type before its samples, all of its samples stand together, no series comes
//! twice, counters end in `_total`, and the buckets of a histogram add up.

use std::collections::{BTreeMap, BTreeSet};

use super::api::Reply;

/// A scrape.
#[derive(Debug, Default)]
pub struct Exposition {
    /// By name, as its samples have it but for a histogram's endings.
    families: BTreeMap<String, Family>,
}

/// A metric with all its series.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    samples: Vec<Sample>,
}

/// One line with a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// What a histogram's samples end in.
const ENDINGS: [&str; 3] = ["_bucket", "_sum", "_count"];

impl Exposition {
    /// Reads the answer to a scrape.
    #[track_caller]
    pub fn read(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{}", reply.describe());
        let kind = reply.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        Self::parse(&reply.text())
    }

    /// Reads the text of a scrape.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let (mut read, mut current, mut help) = (Self::default(), String::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
                assert!(text.len() > 10, "no help: {line}");
                help = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                assert_eq!(help, name, "no help before {line}");
                let family = Family { kind: kind.to_owned(), samples: Vec::new() };
                assert!(read.families.insert(name.to_owned(), family).is_none(), "twice: {line}");
                current = name.to_owned();
            } else {
                let family = read.families.get_mut(&current).unwrap_or_else(|| panic!("no type: {line}"));
                family.samples.push(Sample::parse(line));
            }
        }
        read.families.iter().for_each(|(name, family)| family.check(name));
        read
    }

    /// Whether there is a sample of this name whose label is this value; without a label, any.
    pub fn has(&self, name: &str, label: Option<(&str, &str)>) -> bool {
        let fits = |sample: &Sample| {
            let same = |(key, value): (&str, &str)| sample.labels.get(key).is_some_and(|own| own == value);
            label.is_none_or(same)
        };
        self.samples().any(|sample| sample.name == name && fits(sample))
    }

    /// Every sample there is.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.values().flat_map(|family| &family.samples)
    }

    /// The sum of the samples of this name that have this label, or of all of them.
    #[track_caller]
    pub fn sum(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        let wanted = |sample: &&Sample| {
            let has = |(key, value): (&str, &str)| sample.labels.get(key).is_some_and(|own| own == value);
            sample.name == name && label.is_none_or(has)
        };
        let found: Vec<f64> = self.samples().filter(wanted).map(|sample| sample.value).collect();
        assert!(!found.is_empty(), "there is no {name} with {label:?}");
        found.iter().sum()
    }

    /// The one sample of this name.
    #[track_caller]
    pub fn value(&self, name: &str) -> f64 {
        self.sum(name, None)
    }

    /// The sample of this name with this label.
    #[track_caller]
    pub fn of(&self, name: &str, label: &str, value: &str) -> f64 {
        self.sum(name, Some((label, value)))
    }
}

impl Family {
    #[track_caller]
    fn check(&self, name: &str) {
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            let series = format!("{}{:?}", sample.name, sample.labels);
            assert!(seen.insert(series), "twice: {sample:?}");
            let ending = sample.name.strip_prefix(name).unwrap_or_else(|| panic!("{sample:?} below {name}"));
            let is_good = match self.kind.as_str() {
                "histogram" => ENDINGS.contains(&ending),
                _ => ending.is_empty(),
            };
            assert!(is_good, "{sample:?} below {name}, a {}", self.kind);
        }
        match self.kind.as_str() {
            "counter" => assert!(name.ends_with("_total"), "{name}"),
            "gauge" => assert!(!name.ends_with("_total"), "{name}"),
            "histogram" => self.check_buckets(name),
            kind => panic!("{name} is a {kind}"),
        }
    }

    #[track_caller]
    fn check_buckets(&self, name: &str) {
        let mut series: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
        for bucket in self.samples.iter().filter(|sample| sample.name.ends_with("_bucket")) {
            let mut labels = bucket.labels.clone();
            let bound = labels.remove("le").unwrap_or_else(|| panic!("no bound: {bucket:?}"));
            series.entry(labels).or_default().push((number(&bound), bucket.value));
        }
        for (labels, buckets) in series {
            let rises = buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1);
            assert!(rises, "{name} {labels:?}: {buckets:?}");
            let last = buckets.last().copied().unwrap_or_default();
            let count = |sample: &&Sample| sample.name == format!("{name}_count") && sample.labels == labels;
            let count = self.samples.iter().find(count).unwrap_or_else(|| panic!("no count of {name}"));
            assert_eq!(last, (f64::INFINITY, count.value), "{name} {labels:?}");
        }
    }
}

impl Sample {
    /// Reads `name{label="value",…} 1.5`.
    #[track_caller]
    fn parse(line: &str) -> Self {
        let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
        let (name, mut rest) = line.split_at(end);
        assert!(is_name(name), "{line}");
        let mut labels = BTreeMap::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            while !rest.starts_with('}') {
                let (label, behind) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
                let (value, behind) = behind.split_once('"').unwrap_or_else(|| panic!("no end: {line}"));
                assert!(is_name(label) && !value.contains('\\'), "{line}");
                assert!(labels.insert(label.to_owned(), value.to_owned()).is_none(), "twice: {line}");
                rest = behind.strip_prefix(',').unwrap_or(behind);
            }
            rest = &rest[1..];
        }
        let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
        Self { name: name.to_owned(), labels, value: number(value) }
    }
}

fn is_name(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.bytes().all(good) && !text.as_bytes()[0].is_ascii_digit()
}

#[track_caller]
fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        _ => text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}")),
    }
}
