//! The components' binaries: taken from `KUBEBUILDER_ASSETS`, or built from the
//! pins in `go/` and cached.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::events::Events;
use super::process::{self, Process};
use super::{Stop, cache};

/// A folder under `go/`: a Go module that pins what these binaries are built from.
struct Pins {
    folder: &'static str,
    /// The module that gives the version.
    module: &'static str,
    /// Names of binaries with their packages.
    binaries: &'static [(&'static str, &'static str)],
}

const KUBERNETES: &str = "k8s.io/kubernetes";

const PINS: [Pins; 3] = [
    Pins {
        folder: "etcd",
        module: "go.etcd.io/etcd/server/v3",
        binaries: &[("etcd", ".")],
    },
    Pins {
        folder: "kubernetes",
        module: KUBERNETES,
        binaries: &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            (
                "kube-controller-manager",
                "k8s.io/kubernetes/cmd/kube-controller-manager",
            ),
            ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ],
    },
    Pins {
        folder: "kwok",
        module: "sigs.k8s.io/kwok",
        binaries: &[("kwok", "sigs.k8s.io/kwok/cmd/kwok")],
    },
];

/// Counts as a part of the key: raise it when the way to build changes.
const RECIPE: &str = "1";

/// Where each binary is.
pub(crate) struct Binaries {
    paths: HashMap<&'static str, PathBuf>,
    folder: PathBuf,
}

impl Binaries {
    /// Finds all binaries, building what is neither given nor cached.
    pub(crate) fn provide(events: &mut Events) -> Result<Self, Stop> {
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let mut paths = HashMap::new();
        let mut wanted = Vec::new();
        for pins in &PINS {
            for &(name, package) in pins.binaries {
                let given = assets.as_ref().map(|folder| folder.join(name));
                match given.filter(|path| path.is_file()) {
                    Some(path) => {
                        paths.insert(name, path);
                    }
                    None => wanted.push((pins, name, package)),
                }
            }
        }
        if !wanted.is_empty() {
            let cached = Cached::open()?;
            cached.complete(&wanted, events)?;
            paths.extend(
                wanted
                    .iter()
                    .map(|&(_, name, _)| (name, cached.binary(name))),
            );
        }
        let folder = paths
            .get("kubectl")
            .and_then(|path| path.parent())
            .map(Path::to_owned)
            .unwrap_or_default();
        Ok(Self { paths, folder })
    }

    /// The folder of kubectl.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of a binary; of one that is not known, its bare name.
    pub(crate) fn path(&self, name: &'static str) -> &Path {
        self.paths
            .get(name)
            .map_or(Path::new(name), PathBuf::as_path)
    }
}

/// The folder of the binaries of the present pins.
struct Cached {
    folder: PathBuf,
    /// `go/` of this crate.
    sources: PathBuf,
}

type Wanted = (&'static Pins, &'static str, &'static str);

impl Cached {
    fn open() -> Result<Self, Stop> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("go");
        let folder = cache::folder()?.join(key(&sources)?);
        fs::create_dir_all(folder.join("bin")).map_err(Stop::because(folder.display()))?;
        Ok(Self { folder, sources })
    }

    fn binary(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    fn missing(&self, wanted: &[Wanted]) -> Vec<Wanted> {
        let mut missing = wanted.to_vec();
        missing.retain(|(_, name, _)| !self.binary(name).is_file());
        missing
    }

    /// Builds what is missing, while nobody else does.
    fn complete(&self, wanted: &[Wanted], events: &mut Events) -> Result<(), Stop> {
        if self.missing(wanted).is_empty() {
            return Ok(());
        }
        let _lock = self.lock(events)?;
        let missing = self.missing(wanted);
        if missing.is_empty() {
            return Ok(());
        }
        tell(&format!(
            "building {} of {} binaries into {} (once for these versions; all of them take about ten minutes on 2 cores)",
            missing.len(),
            wanted.len(),
            self.folder.join("bin").display(),
        ));
        let start = Instant::now();
        for (index, (pins, name, package)) in missing.iter().enumerate() {
            let step = format!("{name} ({}/{})", index + 1, missing.len());
            self.build(pins, name, package, &step, events)?;
        }
        tell(&format!("built all in {}", minutes(start.elapsed())));
        Ok(())
    }

    fn lock(&self, events: &mut Events) -> Result<File, Stop> {
        let lock = cache::lock_file(&self.folder.join("lock"))?;
        let mut told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(error)) => {
                    return Err(Stop::because("locking the cache")(error));
                }
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        tell("waiting: another process is building the binaries");
                        told = true;
                    }
                    events.check(Duration::from_millis(200))?;
                }
            }
        }
    }

    /// Builds one binary beside its place and moves it there when it is whole.
    fn build(
        &self,
        pins: &Pins,
        name: &str,
        package: &str,
        step: &str,
        events: &mut Events,
    ) -> Result<(), Stop> {
        let module = self.sources.join(pins.folder);
        let work = tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(&self.folder)
            .map_err(Stop::because(self.folder.display()))?;
        let built = work.path().join(name);
        let log = work.path().join("go.log");
        let output = File::create(&log).map_err(Stop::because(log.display()))?;
        let same = output.try_clone().map_err(Stop::because(log.display()))?;
        let mut command = process::guarded(Path::new("go"))?;
        command
            .args(["build", "-trimpath", "-mod=readonly", "-ldflags"])
            .arg(linker_flags(pins, &module)?)
            .arg("-o")
            .arg(&built)
            .arg(package)
            .current_dir(&module)
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .env_remove("GOFLAGS")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(same);
        tell(&format!("{step} ..."));
        let start = Instant::now();
        let mut go = Process::start("go build", command, log)?;
        let mut next_word = Duration::from_secs(30);
        let status = loop {
            if let Some(status) = go.exited()? {
                break status;
            }
            events.check(Duration::from_millis(200))?;
            if start.elapsed() >= next_word {
                tell(&format!("{step} ... {}", minutes(start.elapsed())));
                next_word += Duration::from_secs(30);
            }
        };
        if !status.success() {
            return Err(Stop::Failed(format!(
                "building {name} failed ({status}):\n{}",
                go.log_tail()
            )));
        }
        fs::rename(&built, self.binary(name)).map_err(Stop::because(built.display()))?;
        tell(&format!("{step} done in {}", minutes(start.elapsed())));
        Ok(())
    }
}

/// Names the binaries by what they are made from: the pins, our sources, Go
/// itself and the recipe.
fn key(sources: &Path) -> Result<String, Stop> {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    add(RECIPE.as_bytes());
    for pins in &PINS {
        let folder = sources.join(pins.folder);
        add(go(&["env", "GOVERSION", "GOOS", "GOARCH"], &folder)?.as_bytes());
        let mut files: Vec<PathBuf> = fs::read_dir(&folder)
            .map_err(Stop::because(folder.display()))?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.sort();
        for file in files {
            add(file.file_name().unwrap_or_default().as_encoded_bytes());
            add(&fs::read(&file).map_err(Stop::because(file.display()))?);
        }
    }
    let mut key = String::new();
    for byte in &hash.finalize()[..8] {
        // Writing to a String does not fail.
        let _ = write!(key, "{byte:02x}");
    }
    Ok(key)
}

/// Strips the binaries, and tells those of Kubernetes their version, without
/// which they call themselves v0.0.0.
fn linker_flags(pins: &Pins, module: &Path) -> Result<String, Stop> {
    if pins.module != KUBERNETES {
        return Ok("-s -w".to_owned());
    }
    let version = go(&["list", "-m", "-f", "{{.Version}}", pins.module], module)?;
    let mut parts = version.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or("0"), parts.next().unwrap_or("0"));
    let package = "k8s.io/component-base/version";
    Ok(format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} \
         -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean"
    ))
}

/// What a quick `go` command prints.
fn go(arguments: &[&str], folder: &Path) -> Result<String, Stop> {
    let output = Command::new("go")
        .args(arguments)
        .current_dir(folder)
        .env("GOWORK", "off")
        .env_remove("GOFLAGS")
        .output()
        .map_err(Stop::because(
            "running go (the control plane is built with Go 1.26 or later, unless \
             KUBEBUILDER_ASSETS names a folder with all of its binaries)",
        ))?;
    if !output.status.success() {
        return Err(Stop::Failed(format!(
            "go {} in {}: {}",
            arguments.join(" "),
            folder.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Progress, on stderr: nobody is there to be told if that is closed.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "controlplane: {text}");
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}m{:02}s", seconds / 60, seconds % 60)
}
