//! What a process has used, as the kernel counts it. This is read from outside the process, so it costs the
//! process nothing.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike;
use nix::time::clock_getcpuclockid;
use nix::unistd::{Pid, SysconfVar, sysconf};

/// With fewer clock ticks than this, they say nothing about the shares of user and system time.
const TICKS_MIN: u64 = 4;
/// How many times we look whether strace has attached.
const ATTACH_LOOKS: u32 = 200;
/// Pause between two looks.
const ATTACH_PAUSE: Duration = Duration::from_millis(10);

/// What a process has used from its start up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time of all its threads, also of those that have ended, to the nanosecond.
    pub cpu: Duration,
    /// CPU time in the program, in clock ticks. Much coarser than `cpu`.
    user_ticks: u64,
    /// CPU time in the kernel, in clock ticks.
    system_ticks: u64,
    /// How many times its living threads went to sleep by themselves, and so had to be woken.
    pub waits: u64,
}

impl Usage {
    /// What process `pid` has used until now.
    ///
    /// # Errors
    /// If there is no such process any more.
    pub fn of(pid: u32) -> io::Result<Usage> {
        let cpu = clock_getcpuclockid(Pid::from_raw(pid as i32))?.now()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The program's name is in parentheses and may contain anything, even spaces and parentheses.
        let after = stat.rsplit(')').next().unwrap_or_default();
        let field = |index: usize| after.split_whitespace().nth(index).and_then(|text| text.parse().ok());
        let mut usage = Usage {
            cpu: cpu.into(),
            user_ticks: field(11).unwrap_or_default(),
            system_ticks: field(12).unwrap_or_default(),
            ..Usage::default()
        };
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end while we read.
            let Ok(status) = std::fs::read_to_string(task?.path().join("status")) else { continue };
            usage.waits += value(&status, "voluntary_ctxt_switches:");
        }
        Ok(usage)
    }

    /// What the process has used since `earlier`.
    pub fn since(self, earlier: Usage) -> Usage {
        Usage {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
            waits: self.waits.saturating_sub(earlier.waits),
        }
    }

    /// The share of user time in the CPU time, 0 to 1. `None` if there are too few clock ticks to tell.
    pub fn user_part(self) -> Option<f64> {
        let total = self.user_ticks + self.system_ticks;
        (total >= TICKS_MIN).then(|| self.user_ticks as f64 / total as f64)
    }
}

/// Resident memory of process `pid`, in bytes.
///
/// # Errors
/// If there is no such process any more.
pub fn resident(pid: u32) -> io::Result<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or_default();
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096);
    Ok(pages * page as u64)
}

/// CPU time since the machine's start that others have taken: other processes, and other virtual machines on
/// the same hardware. Our own time is left out, and that of our children once they have ended and we have
/// waited for them.
pub fn taken_by_others() -> Duration {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let total = stat.lines().next().unwrap_or_default();
    // The columns are: user nice system idle iowait irq softirq steal. Interrupts do not count, because
    // nearly all of them come from our own traffic over loopback.
    let ticks = total.split_whitespace().skip(1).take(8).enumerate();
    let busy: u64 = ticks
        .filter(|(at, _)| ![3, 4, 5, 6].contains(at))
        .filter_map(|(_, text)| text.parse::<u64>().ok())
        .sum();
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    let ours =
        [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].into_iter().filter_map(|who| getrusage(who).ok());
    let ours: i64 = ours.map(|used| (used.user_time() + used.system_time()).num_microseconds()).sum();
    Duration::from_secs_f64(busy as f64 / per_second as f64)
        .saturating_sub(Duration::from_micros(ours.unsigned_abs()))
}

/// The number behind `name` in a status file; 0 if it is not there.
fn value(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or_default()
}

/// A running `strace -c`, which counts the system calls of a process.
pub struct Strace(Child);

impl Strace {
    /// Attaches to process `pid`. `None` if strace is not installed, or may not attach.
    pub fn attach(pid: u32) -> Option<Strace> {
        let mut command = Command::new("strace");
        command.args(["-c", "-f", "-q", "-p", &pid.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
        let strace = Strace(child);
        for _ in 0..ATTACH_LOOKS {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            if value(&status, "TracerPid:") != 0 {
                return Some(strace);
            }
            std::thread::sleep(ATTACH_PAUSE);
        }
        None
    }

    /// Detaches and returns how many system calls it has counted.
    pub fn finish(self) -> Option<u64> {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT).ok()?;
        let output = self.0.wait_with_output().ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let total = text.lines().find(|line| line.trim_end().ends_with(" total"))?.to_owned();
        total.split_whitespace().nth(3)?.parse().ok()
    }
}
