//! Topics, partitions, offsets, producers and waiting readers over one commit log.
