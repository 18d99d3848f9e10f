//! The request's body as far as it is judged: counted, or held back whole up to the inspection limit. How it is cut into pieces
//! makes no difference.

use crate::fact::BodyUse;
use crate::record::Inspection;
use crate::verdict::FactError;

/// See the module.
#[derive(Debug, Default)]
pub struct InspectedBody {
    use_: Option<BodyUse>,
    limit_bytes: usize,
    held: Vec<u8>,
    bytes: u64,
    is_over_limit: bool,
}

impl InspectedBody {
    /// A body that rules ask for.
    pub(super) fn begin(&mut self, use_: BodyUse, limit_bytes: usize) {
        self.use_ = Some(use_);
        self.limit_bytes = limit_bytes;
    }

    /// A length that is known to be over the limit needs no reading.
    pub(super) fn announce(&mut self, bytes: u64) {
        self.is_over_limit |= bytes > self.limit_bytes as u64;
    }

    /// Takes the next piece, as far as it can still matter.
    pub(super) fn take(&mut self, piece: &[u8]) {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        self.announce(self.bytes);
        if self.is_over_limit {
            self.release();
        } else if self.use_ == Some(BodyUse::Whole) {
            self.held.extend_from_slice(piece);
        }
    }

    /// Forgets the bytes that were held back.
    pub(super) fn release(&mut self) {
        self.held = Vec::new();
    }

    /// Bytes so far; all of them once the body was judged and is not over the limit.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How much of it is judged at most.
    #[must_use]
    pub const fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// The error of whatever needs all of it, when it is too long for that.
    #[must_use]
    pub fn over_limit(&self) -> Option<FactError> {
        self.is_over_limit.then_some(FactError::OverLimit)
    }

    /// The whole body, if it was held back.
    ///
    /// # Errors
    /// It is too long for that.
    pub fn whole(&self) -> Result<&[u8], FactError> {
        self.over_limit().map_or(Ok(&self.held), Err)
    }

    /// The word for the record.
    #[must_use]
    pub fn inspection(&self) -> Inspection {
        match self.use_ {
            None | Some(BodyUse::Nothing) => Inspection::None,
            Some(_) if self.is_over_limit => Inspection::OverLimit,
            Some(BodyUse::Whole) => Inspection::Whole,
            Some(BodyUse::Pieces) => Inspection::Pieces,
        }
    }
}
