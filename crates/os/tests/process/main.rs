//! Figures of this process and of another, one file for each; a binary of its own, since the figures are those of the whole process.

mod boot_id;
mod give_way;
mod io_counters;
mod memory;
mod processor_time;
