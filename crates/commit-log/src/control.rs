//! The log's own entries: a segment's head, an opening, a clean stop.

/// The first byte of a control entry's payload.
pub(crate) struct Control;

impl Control {
    /// A segment's first entry, naming its size.
    pub(crate) const SEGMENT_HEAD: u8 = 1;
    /// The log was opened; the epoch is in the header.
    pub(crate) const OPENED: u8 = 2;
    /// The log was closed, and this is the last entry of that opening.
    pub(crate) const STOPPED: u8 = 3;
    /// The log was cut here by hand; what lies before is all that was kept.
    pub(crate) const CUT: u8 = 4;
    /// From here on types belong to the store.
    pub(crate) const STORE_MIN: u8 = 16;

    pub(crate) fn segment_head(size: u64) -> [u8; 16] {
        Control::with_number(Control::SEGMENT_HEAD, size)
    }

    /// A cut, naming where the log had ended.
    pub(crate) fn cut(end: u64) -> [u8; 16] {
        Control::with_number(Control::CUT, end)
    }

    fn with_number(kind: u8, number: u64) -> [u8; 16] {
        let mut payload = [0; 16];
        payload[0] = kind;
        payload[8..].copy_from_slice(&number.to_le_bytes());
        payload
    }

    /// The segment's size, if this is a segment's head.
    pub(crate) fn segment_size(payload: &[u8]) -> Option<u64> {
        let (head, size) = payload.split_last_chunk::<8>()?;
        let is_head = head.len() == 8 && head[0] == Control::SEGMENT_HEAD;
        is_head.then(|| u64::from_le_bytes(*size))
    }

    pub(crate) const fn plain(kind: u8) -> [u8; 8] {
        [kind, 0, 0, 0, 0, 0, 0, 0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_head_names_its_size_and_nothing_else_does() {
        assert_eq!(
            Control::segment_size(&Control::segment_head(4096)),
            Some(4096)
        );
        assert_eq!(
            Control::segment_size(&Control::plain(Control::OPENED)),
            None
        );
        assert_eq!(Control::segment_size(&[Control::OPENED; 16]), None);
        assert_eq!(Control::segment_size(&[]), None);
    }
}
