//! What a process has used, as the kernel counts it: I/O, processor, faults, memory; the boot id.
//!
//! Read by tests and benches, of this process or of another by its id.
#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// The greatest id that a process can have.
const PID_MAX: u32 = 1 << 22;

/// Whose figures are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// The calling process.
    Own,
    /// The process with this id; of the same user, or the reader has `CAP_SYS_PTRACE`.
    Id(u32),
}

/// What a process has read and written; `/proc/PID/io`, man 5 proc_pid_io. Bytes and calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoCounters {
    /// `rchar`: bytes returned by read calls, from the page cache or a socket too.
    pub read_call_bytes: u64,
    /// `wchar`: bytes given to write calls.
    pub write_call_bytes: u64,
    /// `syscr`: read calls.
    pub read_calls: u64,
    /// `syscw`: write calls.
    pub write_calls: u64,
    /// `read_bytes`: bytes fetched from a block device.
    pub device_read_bytes: u64,
    /// `write_bytes`: bytes of page-cache pages that this process made dirty, counted at that time:
    /// a folio that a store dirties as a whole counts as a whole.
    pub device_write_bytes: u64,
}

/// What the calling process or thread has used; `getrusage`, man 2 getrusage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Time on a processor in user code.
    pub user_time: Duration,
    /// Time on a processor in the kernel.
    pub system_time: Duration,
    /// Page faults that needed no I/O.
    pub minor_faults: u64,
    /// Page faults that needed I/O.
    pub major_faults: u64,
    /// Waits that the thread began itself.
    pub voluntary_switches: u64,
}

/// What [`usage`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All threads of the process, ended ones included.
    Process,
    /// The calling thread.
    Thread,
}

/// What a process holds of memory, in bytes; `/proc/PID/smaps_rollup` and `status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident pages, the page cache's that are mapped included.
    pub resident: u64,
    /// Resident pages that belong to no file: heap, stacks, rings.
    pub anonymous: u64,
    /// Pages held by `mlock`.
    pub locked: u64,
    /// The most that was ever resident.
    pub resident_peak: u64,
}

impl Process {
    fn file(self, name: &str) -> String {
        match self {
            Process::Own => format!("/proc/self/{name}"),
            Process::Id(id) => format!("/proc/{id}/{name}"),
        }
    }

    /// `/proc/PID/io`: what a process has read and written.
    ///
    /// Differs from the file in the names.
    ///
    /// Safe, since no memory is handed over.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such process, `PermissionDenied`, `InvalidData` when a line is missing. man 5 proc_pid_io.
    pub fn io_counters(self) -> io::Result<IoCounters> {
        let text = fs::read_to_string(self.file("io"))?;
        Ok(IoCounters {
            read_call_bytes: value(&text, "rchar")?,
            write_call_bytes: value(&text, "wchar")?,
            read_calls: value(&text, "syscr")?,
            write_calls: value(&text, "syscw")?,
            device_read_bytes: value(&text, "read_bytes")?,
            device_write_bytes: value(&text, "write_bytes")?,
        })
    }

    /// `/proc/PID/smaps_rollup` and `/proc/PID/status`: what a process holds of memory.
    ///
    /// Differs from the files in that all is in bytes.
    ///
    /// Safe, since no memory is handed over.
    ///
    /// # Errors
    ///
    /// As [`Process::io_counters`]. man 5 proc_pid_smaps.
    pub fn memory(self) -> io::Result<Memory> {
        let rollup = fs::read_to_string(self.file("smaps_rollup"))?;
        let status = fs::read_to_string(self.file("status"))?;
        Ok(Memory {
            resident: kibibytes(&rollup, "Rss")?,
            anonymous: kibibytes(&rollup, "Anonymous")?,
            locked: kibibytes(&status, "VmLck")?,
            resident_peak: kibibytes(&status, "VmHWM")?,
        })
    }

    /// `clock_getcpuclockid(pid_t pid, clockid_t *)` and `clock_gettime`: the time on a processor, user and kernel, of all threads,
    /// ended ones included.
    ///
    /// Differs from the calls in that an id that no process can have is `ESRCH`, whatever the C library makes of it.
    ///
    /// Safe, since the kernel writes a number and a time into places of their size.
    ///
    /// # Errors
    ///
    /// `ESRCH` when there is no such process. man 3 clock_getcpuclockid.
    pub fn processor_time(self) -> io::Result<Duration> {
        let id = match self {
            Process::Own => 0,
            // A clock's id has room for no greater one, and no process has it: man 5 proc_sys_kernel, pid_max.
            Process::Id(id) if id > PID_MAX => {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Process::Id(id) => id.cast_signed(),
        };
        let mut clock = 0;
        // SAFETY: the call writes one clock's id into a place that lives through it.
        let errno = unsafe { libc::clock_getcpuclockid(id, &raw mut clock) };
        if errno != 0 {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the call writes one time into a place that lives through it.
        let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
        Ok(Duration::new(time.tv_sec.unsigned_abs(), nanoseconds))
    }
}

/// [`IoCounters::device_write_bytes`] of this process: what it has made dirty, in bytes.
///
/// # Errors
///
/// As [`Process::io_counters`].
pub fn io_write_bytes() -> io::Result<u64> {
    Ok(Process::Own.io_counters()?.device_write_bytes)
}

/// `int getrusage(int who, struct rusage *)`: what the process or the calling thread has used.
///
/// Differs from the call in that it gives no more than what is looked at here: times, faults and waits.
///
/// Safe, since the kernel fills a place of the structure's size.
///
/// # Errors
///
/// None in practice; what the call gives. man 2 getrusage.
pub fn usage(scope: Scope) -> io::Result<Usage> {
    let who = match scope {
        Scope::Process => libc::RUSAGE_SELF,
        Scope::Thread => libc::RUSAGE_THREAD,
    };
    let mut place = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the place is large enough for what the call writes.
    let result = unsafe { libc::getrusage(who, place.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was zeroed, which is a valid `rusage`, and then filled.
    let counted = unsafe { place.assume_init() };
    Ok(Usage {
        user_time: duration(counted.ru_utime),
        system_time: duration(counted.ru_stime),
        minor_faults: counted.ru_minflt.try_into().unwrap_or(0),
        major_faults: counted.ru_majflt.try_into().unwrap_or(0),
        voluntary_switches: counted.ru_nvcsw.try_into().unwrap_or(0),
    })
}

/// [`give_way`] was refused: the thread takes its turn as before. Not fatal; the message says the remedy.
#[derive(Debug, thiserror::Error)]
#[error(
    "giving way by {nice} was refused ({error}): to give way less than before takes the privilege CAP_SYS_NICE or a higher limit \
     (RLIMIT_NICE: `ulimit -e`, systemd's LimitNICE=)"
)]
pub struct GiveWayRefused {
    /// What was asked for.
    pub nice: i32,
    /// What the kernel said.
    #[source]
    pub error: io::Error,
}

/// `int setpriority(PRIO_PROCESS, 0, int nice)`: from now on the calling thread gives way to others; 19 does most, 0 is usual.
///
/// Differs from what POSIX says of the call, which names the process: on Linux it is the thread alone. What lies outside of -20 to 19 is
/// taken for the nearest of these.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// [`GiveWayRefused`]: `EACCES`, `EPERM` when a lower value is asked for than the thread has, without the privilege, or where a filter of
/// system calls says no. man 2 setpriority.
pub fn give_way(nice: i32) -> Result<(), GiveWayRefused> {
    let outcome = rustix::process::setpriority_process(None, nice);
    outcome.map_err(|error| GiveWayRefused {
        nice,
        error: error.into(),
    })
}

/// `int getpriority(PRIO_PROCESS, 0)`: how much the calling thread gives way; see [`give_way`].
///
/// Differs from the call in that -1 is a value like any other.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// None in practice; what the call gives. man 2 getpriority.
pub fn gives_way() -> io::Result<i32> {
    Ok(rustix::process::getpriority_process(None)?)
}

/// `/proc/sys/kernel/random/boot_id`: the id that the kernel chose at random when it booted. Two equal ones prove that the page
/// cache of then is the page cache of now.
///
/// Differs from the file in nothing but the line's end.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// When `/proc` is not mounted. man 5 proc_sys_kernel.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = Duration::from_secs(time.tv_sec.try_into().unwrap_or(0));
    seconds + Duration::from_micros(time.tv_usec.try_into().unwrap_or(0))
}

/// The number behind `name:` in a text of lines `name: number [unit]`.
fn value(text: &str, name: &str) -> io::Result<u64> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| *found == name)
        .and_then(|(_, rest)| rest.split_ascii_whitespace().next())
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| missing(name))
}

fn kibibytes(text: &str, name: &str) -> io::Result<u64> {
    Ok(value(text, name)?.saturating_mul(1024))
}

fn missing(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("/proc does not tell {name}"),
    )
}
