//! One file for each call, in folders by module. What changes or measures the whole process is a binary of its own, beside this folder.

mod cache {
    mod count_pages;
    mod read_ahead;
    mod write_back;
    mod written;
}
mod direct;
mod file {
    mod advise;
    mod allocate;
    mod data_end;
    mod lock_exclusive;
    mod lock_owners;
    mod open_again;
    mod overwrite_in_place;
    mod read_at;
    mod sync_data;
    mod sync_directory;
    mod write_at;
    mod write_gather_at;
}
mod filter {
    mod refuse_io_uring;
    mod refuse_moves;
    mod starve_zero_copy;
}
mod futex;
mod growing;
mod mapped_file;
mod mapping {
    mod advise;
    mod anonymous;
    mod anonymous_shared;
    mod copies;
    mod copy_in_past_caches;
    mod file_of;
    mod fold_out;
    mod force;
    mod load;
    mod populate;
    mod private;
    mod residency;
    mod resident_pages;
    mod shared;
    mod shared_read_only;
    mod small_pages;
    mod touch;
    mod unmap;
}
mod pipe {
    mod read;
    mod splice_in;
    mod splice_out;
    mod stored;
}
mod receive {
    mod pair;
    mod receive_into;
    mod seen;
    mod set_low_water;
    mod waiting;
}
mod send {
    mod send_file;
    mod send_gather;
    mod send_pieces;
    mod stored;
}
mod space;
