//! When bytes become durable: group commit, interval flush, the durable watermark.
