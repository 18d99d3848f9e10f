//! Path templates: `/users/{id}` as a key of the trie.

use crate::url;

/// Bytes and segments that a template may have; a request's path with more segments matches nothing.
pub const MAX_TEMPLATE_BYTES: usize = 4096;
pub const MAX_SEGMENTS: usize = 64;

/// A path whose segments are literals or whole variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    /// `None` is a variable.
    pub segments: Vec<Option<String>>,
    /// Whether it ends in `/`; the root has no segments and does not.
    pub has_trailing_slash: bool,
}

impl PathTemplate {
    /// Reads a template. Its literals must be written as they stand in a normalised path.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(format!("is longer than {MAX_TEMPLATE_BYTES} bytes"));
        }
        if !text.starts_with('/') {
            return Err("does not begin with `/`".into());
        }
        let (parts, has_trailing_slash) = split(text);
        if parts.len() > MAX_SEGMENTS {
            return Err(format!("has more than {MAX_SEGMENTS} segments"));
        }
        let segments = parts.into_iter().map(parse_segment).collect::<Result<_, _>>()?;
        Ok(Self { segments, has_trailing_slash })
    }
}

fn parse_segment(segment: &str) -> Result<Option<String>, String> {
    if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        return if is_word {
            Ok(None)
        } else {
            Err(format!("`{segment}` is not a variable: name it with letters, digits, `_`, `-`, `.`"))
        };
    }
    if segment.contains(['{', '}']) {
        return Err(format!("`{segment}` mixes text and a variable: a variable is a whole segment"));
    }
    if segment.contains(['?', '#']) {
        return Err(format!("`{segment}` holds a query or a fragment: a template is a path only"));
    }
    if matches!(segment, "." | "..") {
        return Err(format!("`{segment}` is a dot segment: it is removed from every path before matching"));
    }
    let whole = format!("/{segment}");
    match url::normalise_path(&whole, false) {
        Ok(normal) if normal.path == whole => Ok(Some(segment.to_owned())),
        Ok(normal) => Err(format!("`{segment}` is not in its normal form: write `{}`", &normal.path[1..])),
        Err(refusal) => Err(format!("`{segment}` can never match, such a path is refused ({})", refusal.code())),
    }
}

/// The segments of a path that begins with `/`, and whether it ends in a slash: `/a/b/` is two and a slash, `/` is none.
fn split(path: &str) -> (Vec<&str>, bool) {
    let mut segments: Vec<&str> = path[1..].split('/').collect();
    let ends_empty = segments.last().is_some_and(|last| last.is_empty());
    if ends_empty {
        segments.pop();
    }
    let has_trailing_slash = ends_empty && !segments.is_empty();
    (segments, has_trailing_slash)
}
