//! Fixed-size files of ranges of bytes, allocated ahead, behind one storage seam.
