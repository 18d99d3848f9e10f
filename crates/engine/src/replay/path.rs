//! The path of a record under a policy that may treat slashes in another way than the one it was recorded under.

use std::borrow::Cow;

use super::row::RecordRow;

/// The path as the engine would have it now; none where the record does not tell. Replaced segments stay in it.
pub(super) fn path_under<'r>(row: &RecordRow<'r>, merge_slashes: bool) -> Option<Cow<'r, str>> {
    if !has_anomaly(row, "empty_segment") {
        return Some(Cow::Borrowed(row.path));
    }
    // Slashes that stand in the record were not merged then; where none stand, they were, or went with a dot segment.
    let were_kept = row.path.contains("//");
    let had_dots = has_anomaly(row, "dot_segments");
    match (merge_slashes, were_kept) {
        (false, true) => Some(Cow::Borrowed(row.path)),
        (true, true) if !had_dots => Some(Cow::Owned(merged(row.path))),
        (true, false) if !had_dots => Some(Cow::Borrowed(row.path)),
        _ => None,
    }
}

pub(super) fn has_anomaly(row: &RecordRow<'_>, word: &str) -> bool {
    row.path_anomalies.split(',').any(|anomaly| anomaly == word)
}

fn merged(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !out.ends_with('/') {
            out.push(character);
        }
    }
    out
}
