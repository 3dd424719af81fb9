//! Pages of one size: where the kernel gives memory in huge pages, one touch brings in neighbours, of neighbouring mappings too.

use rustix::thread::disable_transparent_huge_pages;

/// No huge pages from now on, for this whole process.
pub(super) fn small_pages() {
    // A kernel that has none need not know how to switch them off.
    let _ = disable_transparent_huge_pages(true);
}
