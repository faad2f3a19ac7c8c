//! However it ends, nothing remains.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use controlplane::{Component, ControlPlane, Options};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::processes::{Process, await_gone, descendants, process};
use crate::{Result, eventually};

/// The supervisor and its components, all of which must be there.
fn family(supervisor: u32) -> Result<Vec<Process>> {
    let mut family = descendants(supervisor);
    for component in Component::ALL {
        // The kernel keeps 15 characters of a name.
        let name = &component.name()[..component.name().len().min(15)];
        assert!(
            family.iter().any(|process| process.name == name),
            "no {name} in {family:?}"
        );
    }
    family.push(process(supervisor).ok_or("no supervisor")?);
    Ok(family)
}

fn assert_gone(folder: &Path) -> Result {
    eventually(&false, || Ok(folder.exists()))
}

fn pid(of: u32) -> Result<Pid> {
    Ok(Pid::from_raw(of.try_into()?).ok_or("no process has the id 0")?)
}

#[test]
fn dropped() -> Result {
    let plane = ControlPlane::start(&Options::default())?;
    let family = family(plane.supervisor_pid())?;
    let data = plane.data().to_owned();
    drop(plane);
    // At once, not soon: dropping waits.
    assert!(!data.exists());
    await_gone(&family)?;
    Ok(())
}

#[test]
fn supervisor_killed() -> Result {
    let plane = ControlPlane::start(&Options::default())?;
    let family = family(plane.supervisor_pid())?;
    let data = plane.data().to_owned();
    kill_process(pid(plane.supervisor_pid())?, Signal::KILL)?;
    await_gone(&family)?;
    // Its folder goes with the holder, or before where another that starts sweeps it.
    drop(plane);
    assert!(!data.exists());
    Ok(())
}

#[test]
fn supervisor_terminated() -> Result {
    let plane = ControlPlane::start(&Options::default())?;
    let family = family(plane.supervisor_pid())?;
    kill_process(pid(plane.supervisor_pid())?, Signal::TERM)?;
    await_gone(&family)?;
    assert_gone(plane.data())
}

#[test]
fn holder_killed() -> Result {
    let mut holder = Holder::start("kept")?;
    kill_process(pid(holder.process.id())?, Signal::KILL)?;
    holder.assert_nothing_remains()
}

#[test]
fn holder_interrupted_with_its_group_as_by_ctrl_c() -> Result {
    let mut holder = Holder::start("kept")?;
    kill_process_group(pid(holder.process.id())?, Signal::INT)?;
    holder.assert_nothing_remains()
}

#[test]
fn holder_panicked() -> Result {
    Holder::start("panic")?.assert_nothing_remains()
}

/// Killed while the control plane is still coming up.
#[test]
fn holder_killed_early() -> Result {
    let mut supervisor = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .arg("run")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let id = supervisor.id();
    eventually(&true, || {
        Ok(descendants(id).iter().any(|process| process.name == "etcd"))
    })?;
    let family = descendants(id);
    drop(supervisor.stdin.take());
    await_gone(&family)?;
    assert!(supervisor.wait()?.success());
    Ok(())
}

/// Another process that holds a control plane: this test program again, running
/// the test `held` below alone.
struct Holder {
    process: Child,
    family: Vec<Process>,
    data: PathBuf,
}

const HOLD: &str = "CONTROLPLANE_TEST_HOLD";

impl Holder {
    fn start(how: &str) -> Result<Self> {
        let stderr = if how == "panic" {
            Stdio::null()
        } else {
            Stdio::inherit()
        };
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--exact", "ends::held", "--ignored", "--nocapture"])
            .env(HOLD, how)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .process_group(0)
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no stdout")?;
        let line = BufReader::new(stdout)
            .lines()
            .map_while(std::io::Result::ok)
            .find_map(|line| Some(line.split_once("held: ")?.1.to_owned()))
            .ok_or("the holder has no control plane")?;
        let (supervisor, data) = line.split_once(' ').ok_or("no data folder")?;
        let supervisor: u32 = supervisor.parse()?;
        // One that panics may be gone with all of it by now.
        let family = if how == "panic" {
            process_list(supervisor)
        } else {
            family(supervisor)?
        };
        Ok(Self {
            process,
            family,
            data: data.into(),
        })
    }

    fn assert_nothing_remains(&mut self) -> Result {
        self.process.wait()?;
        await_gone(&self.family)?;
        assert_gone(&self.data)
    }
}

fn process_list(supervisor: u32) -> Vec<Process> {
    let mut list = descendants(supervisor);
    list.extend(process(supervisor));
    list
}

#[test]
#[ignore = "a process of its own that the tests above start"]
fn held() -> Result {
    let how = std::env::var(HOLD)?;
    let plane = ControlPlane::start(&Options::default())?;
    println!(
        "held: {} {}",
        plane.supervisor_pid(),
        plane.data().display()
    );
    assert_ne!(how, "panic", "as asked");
    loop {
        std::thread::park();
    }
}
