//! Ranges of files to a peer without copying: ropes, paths, the ladder of fallbacks.
