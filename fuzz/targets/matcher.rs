//! The matcher: the compiled trie finds what a plain look through all operations finds.

#![no_main]

use std::cmp::Ordering;

use arbitrary::Arbitrary;
use engine::Bundle;
use fuzz::{Parts, ZONE, load, zone_part};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const METHODS: [&str; 3] = ["GET", "HEAD", "POST"];
const LABELS: [&str; 4] = ["a", "b", "example", "com"];
const SEGMENTS: [&str; 6] = ["users", "me", "a%2Fb", "v1", "x;y=1", ""];

/// One operation as the fuzzer picks it; a part that is out of range is a variable.
#[derive(Arbitrary, Debug)]
struct Template {
    method: u8,
    /// None: any host.
    host: Option<Vec<u8>>,
    path: Vec<u8>,
    has_trailing_slash: bool,
}

#[derive(Arbitrary, Debug)]
struct Input {
    templates: Vec<Template>,
    requests: Vec<(u8, Vec<u8>, Vec<u8>, bool)>,
}

/// An operation as the naive oracle compares it; `None` is a variable.
struct Plain {
    method: &'static str,
    /// From the last label to the first; none: any host.
    host: Option<Vec<Option<&'static str>>>,
    path: Vec<Option<&'static str>>,
    has_trailing_slash: bool,
}

fuzz_target!(|input: Input| {
    let operations: Vec<Plain> = input.templates.iter().take(24).filter_map(plain).collect();
    let Some(bundle) = compile(&operations) else { return };
    let zone = bundle.zone(bundle.zone_for("any").expect("the zone is for any host"));
    for (method, host, path, has_trailing_slash) in input.requests.iter().take(16) {
        let method = METHODS[usize::from(*method) % METHODS.len()];
        let labels: Vec<&str> = host.iter().take(4).map(|b| LABELS[usize::from(*b) % LABELS.len()]).collect();
        if labels.is_empty() {
            continue;
        }
        let segments: Vec<&str> = path.iter().take(6).map(|b| SEGMENTS[usize::from(*b) % SEGMENTS.len()]).collect();
        let text = path_text(&segments, *has_trailing_slash);
        let found = zone.operations().find(method, &labels.join("."), &text).map(|(index, _)| index);
        let request = Request::new(&labels, &text);
        let expected = request.look_up(&operations, method).or_else(|| {
            if method == "HEAD" { request.look_up(&operations, "GET") } else { None }
        });
        assert_eq!(found, expected, "{method} {} {text}", labels.join("."));
    }
});

/// A template with at least one segment for each part; the empty literal stands for nothing here.
fn plain(template: &Template) -> Option<Plain> {
    let host = match &template.host {
        None => None,
        Some(labels) if labels.is_empty() => return None,
        Some(labels) => Some(labels.iter().take(4).rev().map(|b| LABELS.get(usize::from(*b % 6)).copied()).collect()),
    };
    let path: Vec<_> = template.path.iter().take(6).map(|b| SEGMENTS[..5].get(usize::from(*b % 8)).copied()).collect();
    let has_trailing_slash = template.has_trailing_slash && !path.is_empty();
    Some(Plain { method: METHODS[usize::from(template.method) % METHODS.len()], host, path, has_trailing_slash })
}

/// The bundle of these operations; none when it does not load (two of them are the same).
fn compile(operations: &[Plain]) -> Option<Bundle> {
    let entries: Vec<_> = operations
        .iter()
        .enumerate()
        .map(|(index, each)| {
            json!({"id": format!("00000000-0000-0000-0000-{index:012}"), "method": each.method,
                   "host": host_text(each.host.as_deref()), "path": template_text(each)})
        })
        .collect();
    let parts = Parts {
        zone: zone_part().to_string().into_bytes(),
        operations: json!({"operations": entries}).to_string().into_bytes(),
        rules: br#"{"rules":[]}"#.to_vec(),
    };
    match load(&parts) {
        Ok(bundle) => Some(bundle),
        Err(errors) => {
            let twice = (1..operations.len()).any(|at| operations[..at].iter().any(|other| same(other, &operations[at])));
            assert!(twice, "different operations do not load: {errors:?} (zone {ZONE})");
            None
        }
    }
}

fn same(one: &Plain, other: &Plain) -> bool {
    one.method == other.method
        && one.host == other.host
        && one.path == other.path
        && one.has_trailing_slash == other.has_trailing_slash
}

fn host_text(host: Option<&[Option<&str>]>) -> String {
    let Some(labels) = host else { return "*".to_owned() };
    let mut variables = 0;
    let mut text: Vec<String> = Vec::new();
    for label in labels.iter().rev() {
        text.push(label.map_or_else(
            || {
                variables += 1;
                format!("{{hostVar{variables}}}")
            },
            str::to_owned,
        ));
    }
    text.join(".")
}

fn template_text(operation: &Plain) -> String {
    let named: Vec<String> = (1..)
        .zip(&operation.path)
        .map(|(number, segment)| segment.map_or_else(|| format!("{{var{number}}}"), str::to_owned))
        .collect();
    path_text(&named.iter().map(String::as_str).collect::<Vec<_>>(), operation.has_trailing_slash)
}

fn path_text(segments: &[&str], has_trailing_slash: bool) -> String {
    format!("/{}{}", segments.join("/"), if has_trailing_slash && !segments.is_empty() { "/" } else { "" })
}

/// A request's host and path, cut up the plain way.
struct Request<'a> {
    labels: Vec<&'a str>,
    segments: Vec<&'a str>,
    has_trailing_slash: bool,
}

impl<'a> Request<'a> {
    fn new(labels: &[&'a str], path: &'a str) -> Self {
        let mut segments: Vec<&str> = path[1..].split('/').collect();
        let ends_empty = segments.last() == Some(&"");
        if ends_empty {
            segments.pop();
        }
        let has_trailing_slash = ends_empty && !segments.is_empty();
        Self { labels: labels.iter().rev().copied().collect(), segments, has_trailing_slash }
    }

    /// The best of all operations that fit.
    fn look_up(&self, operations: &[Plain], method: &str) -> Option<usize> {
        let fitting = operations.iter().enumerate().filter(|(_, each)| each.method == method && self.fits(each));
        fitting.min_by(|(_, one), (_, other)| self.rank(one, other)).map(|(index, _)| index)
    }

    fn fits(&self, operation: &Plain) -> bool {
        let host = operation.host.as_ref().is_none_or(|labels| parts_fit(labels, &self.labels));
        host && parts_fit(&operation.path, &self.segments)
    }

    /// Less is better: a host that is named, then literals before variables from the outermost level on, then the same ending.
    fn rank(&self, one: &Plain, other: &Plain) -> Ordering {
        let hosts = one.host.is_none().cmp(&other.host.is_none());
        let labels = variables(one.host.as_deref().unwrap_or(&[])).cmp(&variables(other.host.as_deref().unwrap_or(&[])));
        let segments = variables(&one.path).cmp(&variables(&other.path));
        let endings = (one.has_trailing_slash != self.has_trailing_slash).cmp(&(other.has_trailing_slash != self.has_trailing_slash));
        hosts.then(labels).then(segments).then(endings)
    }
}

fn parts_fit(template: &[Option<&str>], parts: &[&str]) -> bool {
    template.len() == parts.len()
        && template.iter().zip(parts).all(|(wanted, part)| wanted.map_or(!part.is_empty(), |literal| literal == *part))
}

fn variables(parts: &[Option<&str>]) -> Vec<bool> {
    parts.iter().map(Option::is_none).collect()
}
