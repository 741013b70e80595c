//! libtorch for the train lane: found if the user has one, else set up in a per-user cache.
//!
//! tch 0.24 wants PyTorch 2.11.0. A CPU set-up needs six libraries and the headers of the Linux wheel, about 500 MB
//! instead of a full PyTorch. They are fetched by pip with pinned hashes, unpacked by Python's own zipfile
//! into a folder beside the final one, checked and renamed: a set-up is complete or absent, whatever interrupts it.
//! Whoever sets `LIBTORCH` or `LIBTORCH_USE_PYTORCH` keeps their own. All remarks go to stderr, so that
//! `eval "$(cargo xtask libtorch)"` works.

use crate::failure::Failure;
use crate::shell::{Shell, finish, prefixed};
use std::path::{Path, PathBuf};
use std::process::Stdio;

const VERSION: &str = "2.11.0";
const DOWNLOAD_MB: u32 = 544;
const REQUIREMENTS: &str = include_str!("libtorch/requirements.txt");
const UNPACK: &str = include_str!("libtorch/unpack.py");

/// The wheels are chosen for this Python, whichever one runs pip: only libraries without Python's ABI are kept.
const WHEEL_TAGS: &[&str] = &[
    "--python-version=3.11",
    "--implementation=cp",
    "--abi=cp311",
    "--abi=none",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux_2_25_x86_64",
    "--platform=manylinux_2_17_x86_64",
    "--platform=manylinux2014_x86_64",
];

/// What a complete set-up holds, as far as building and loading need it.
const COMPLETE: &[&str] = &[
    "build-version",
    "include/torch/csrc/api/include/torch/torch.h",
    "lib/libc10.so",
    "lib/libcudart.so.13",
    "lib/libcupti.so.13",
    "lib/libgomp.so.1",
    "lib/libtorch.so",
    "lib/libtorch_cpu.so",
];

/// Where libtorch lies.
struct Found {
    /// What `LIBTORCH` has to be, unless the user's own variables say it already.
    home: Option<PathBuf>,
    libraries: PathBuf,
}

/// A shell whose commands find libtorch, which is set up if there is none.
pub(crate) fn ensure(shell: &Shell) -> Result<Shell, Failure> {
    let found = find_or_set_up(shell)?;
    eprintln!("    libtorch: {}", found.libraries.display());
    let libraries = prefixed(&found.libraries, shell.variable("LD_LIBRARY_PATH"));
    let ready = shell.fork().with("LD_LIBRARY_PATH", libraries);
    Ok(match found.home {
        Some(home) => ready.with("LIBTORCH", home),
        None => ready,
    })
}

/// Sets libtorch up and prints the lines that let plain cargo commands find it.
pub(crate) fn print_exports(shell: &Shell) -> Result<(), Failure> {
    print!("{}", exports(&find_or_set_up(shell)?));
    Ok(())
}

fn exports(found: &Found) -> String {
    let libtorch = found.home.iter().map(|home| format!("export LIBTORCH={}\n", quoted(home)));
    let libraries = quoted(&found.libraries);
    let rest = "\"${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\"";
    libtorch.chain([format!("export LD_LIBRARY_PATH={libraries}{rest}\n")]).collect()
}

fn find_or_set_up(shell: &Shell) -> Result<Found, Failure> {
    need_compiler(shell)?;
    if let Some(libraries) = users_own(shell)? {
        return Ok(Found { home: None, libraries });
    }
    let home = shell.cache()?.join(format!("libtorch-{VERSION}"));
    if missing_from(&home).is_some() {
        set_up(shell, &home)?;
    }
    let libraries = home.join("lib");
    Ok(Found { home: Some(home), libraries })
}

/// The library folder of a libtorch that the user chose, if any.
fn users_own(shell: &Shell) -> Result<Option<PathBuf>, Failure> {
    if shell.variable("LIBTORCH_USE_PYTORCH").is_some() {
        let code = "import pathlib, torch; print(pathlib.Path(torch.__file__).parent / 'lib')";
        let python = if shell.variable("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
        return Ok(Some(PathBuf::from(shell.read(python, &["-c", code])?.trim())));
    }
    let named = shell.variable("LIBTORCH_LIB").or_else(|| shell.variable("LIBTORCH"));
    let Some(libraries) = named.map(|home| Path::new(&home).join("lib")) else { return Ok(None) };
    if libraries.is_dir() {
        return Ok(Some(libraries));
    }
    Err(Failure::Missing {
        what: format!("{}, where LIBTORCH points,", libraries.display()),
        next: "point LIBTORCH at an unpacked libtorch 2.11.0, or unset it to have one set up".to_owned(),
    })
}

/// The first file a set-up lacks.
fn missing_from(home: &Path) -> Option<&'static str> {
    COMPLETE.iter().copied().find(|file| !home.join(file).is_file())
}

fn set_up(shell: &Shell, home: &Path) -> Result<(), Failure> {
    need_linux_x86_64(std::env::consts::OS, std::env::consts::ARCH)?;
    need_pip(shell)?;
    eprintln!("    libtorch: downloading about {DOWNLOAD_MB} MB once, into {}", home.display());
    let partial = Partial::beside(home)?;
    download(shell, &partial.0)?;
    eprintln!("    libtorch: unpacking");
    unpack(shell, &partial.0)?;
    let unpacked = partial.0.join("libtorch");
    if let Some(file) = missing_from(&unpacked) {
        return Err(Failure::Missing {
            what: format!("{file} in the downloaded wheels"),
            next: "report this: the wheels are pinned by hash, so unpack.py is wrong".to_owned(),
        });
    }
    publish(&unpacked, home)
}

fn download(shell: &Shell, folder: &Path) -> Result<(), Failure> {
    let requirements = folder.join("requirements.txt");
    write(&requirements, REQUIREMENTS)?;
    let mut command = shell.command("python3");
    command.args(["-m", "pip", "download", "--no-cache-dir", "--disable-pip-version-check", "--no-deps"]);
    command.args(["--only-binary=:all:", "--require-hashes"]).args(WHEEL_TAGS);
    command.arg("--requirement").arg(&requirements).arg("--dest").arg(folder).stdout(Stdio::from(std::io::stderr()));
    finish(&mut command, "python3 -m pip download (torch, nvidia-cuda-runtime, nvidia-cuda-cupti)")
}

fn unpack(shell: &Shell, folder: &Path) -> Result<(), Failure> {
    let script = folder.join("unpack.py");
    write(&script, UNPACK)?;
    let unpacked = folder.join("libtorch");
    let mut command = shell.command("python3");
    command.arg(&script).arg(folder).arg(&unpacked);
    finish(&mut command, "python3 unpack.py")?;
    // torch-sys reads this file and refuses a version that it was not made for.
    write(&unpacked.join("build-version"), &format!("{VERSION}+cpu-from-wheel\n"))
}

/// Moves a finished set-up to its place; another process may have been faster with the same bytes.
fn publish(unpacked: &Path, home: &Path) -> Result<(), Failure> {
    if home.exists() && missing_from(home).is_some() {
        std::fs::remove_dir_all(home).map_err(|source| file("removing the incomplete", home, source))?;
    }
    match std::fs::rename(unpacked, home) {
        Err(_) if missing_from(home).is_none() => Ok(()),
        outcome => outcome.map_err(|source| file("moving libtorch to", home, source)),
    }
}

/// A working folder beside the final one (same file system, so that a rename is atomic), removed when done or failed.
struct Partial(PathBuf);

impl Partial {
    fn beside(home: &Path) -> Result<Self, Failure> {
        let name = format!("libtorch-{VERSION}.partial-{}", std::process::id());
        let folder = home.with_file_name(name);
        std::fs::create_dir_all(&folder).map_err(|source| file("creating", &folder, source))?;
        Ok(Self(folder))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("    could not remove {}: {error}; remove it by hand", self.0.display());
        }
    }
}

fn need_compiler(shell: &Shell) -> Result<(), Failure> {
    let compiler = shell.variable("CXX").map_or_else(|| "c++".to_owned(), |name| name.to_string_lossy().into_owned());
    if shell.answers(&compiler, &["--version"]) {
        return Ok(());
    }
    Err(Failure::Missing {
        what: format!("a C++ compiler (`{compiler}`), which builds the glue to libtorch,"),
        next: "install one (Debian and Ubuntu: apt install g++) or name it in CXX".to_owned(),
    })
}

fn need_pip(shell: &Shell) -> Result<(), Failure> {
    if shell.answers("python3", &["-m", "pip", "--version"]) {
        return Ok(());
    }
    Err(Failure::Missing {
        what: "Python 3 with pip, which fetches libtorch,".to_owned(),
        next: "install it (Debian and Ubuntu: apt install python3-pip) or set LIBTORCH to a libtorch 2.11.0".to_owned(),
    })
}

fn need_linux_x86_64(os: &str, arch: &str) -> Result<(), Failure> {
    if (os, arch) == ("linux", "x86_64") {
        return Ok(());
    }
    Err(Failure::Missing {
        what: format!("a libtorch for {arch} on {os}"),
        next: "the set-up knows Linux on x86-64 only; set LIBTORCH to a libtorch 2.11.0, or LIBTORCH_USE_PYTORCH=1"
            .to_owned(),
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|source| file("writing", path, source))
}

fn file(doing: &'static str, path: &Path, source: std::io::Error) -> Failure {
    Failure::File { doing, path: path.to_owned(), source }
}

/// A value as a POSIX shell reads it back.
fn quoted(value: &Path) -> String {
    format!("'{}'", value.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("seatrial-xtask-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn shell() -> Shell {
        Shell::open().unwrap()
    }

    fn fill(home: &Path, files: &[&str]) {
        for name in files {
            let path = home.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
    }

    #[test]
    fn a_users_own_libtorch_is_kept() {
        let home = folder("own");
        fill(&home, &["lib/libtorch.so"]);
        let ready = ensure(&shell().with("CXX", "true").with("LIBTORCH", &home)).unwrap();
        assert_eq!(ready.variable("LIBTORCH").unwrap(), home);
        assert!(
            ready
                .variable("LD_LIBRARY_PATH")
                .unwrap()
                .to_string_lossy()
                .starts_with(&*home.join("lib").to_string_lossy())
        );
        std::fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn a_wrong_libtorch_variable_is_refused() {
        let message = ensure(&shell().with("CXX", "true").with("LIBTORCH", "/no/such")).unwrap_err().to_string();
        assert!(message.contains("/no/such/lib") && message.contains("unset it"), "{message}");
    }

    #[test]
    fn a_missing_compiler_is_named() {
        let message = ensure(&shell().with("CXX", "no-such-compiler")).unwrap_err().to_string();
        assert!(message.contains("C++ compiler (`no-such-compiler`)") && message.contains("g++"), "{message}");
    }

    #[test]
    fn a_missing_python_is_named() {
        let message = need_pip(&shell().with("PATH", "/no/such")).unwrap_err().to_string();
        assert!(message.contains("Python 3 with pip") && message.contains("LIBTORCH"), "{message}");
    }

    #[test]
    fn another_platform_is_told_what_to_do() {
        assert!(need_linux_x86_64("linux", "x86_64").is_ok());
        let message = need_linux_x86_64("macos", "aarch64").unwrap_err().to_string();
        assert!(message.contains("aarch64 on macos") && message.contains("LIBTORCH"), "{message}");
    }

    #[test]
    fn only_a_complete_set_up_counts_and_an_incomplete_one_is_replaced() {
        let (home, unpacked) = (folder("publish").join("home"), folder("publish").join("new"));
        fill(&home, &COMPLETE[1..]);
        assert_eq!(missing_from(&home), Some("build-version"));
        fill(&unpacked, COMPLETE);
        publish(&unpacked, &home).unwrap();
        assert_eq!(missing_from(&home), None);
        fill(&unpacked, COMPLETE);
        publish(&unpacked, &home).unwrap();
        std::fs::remove_dir_all(home.parent().unwrap()).unwrap();
    }

    /// The unpacker on wheels made here: what is needed is kept in its place, the rest is left.
    #[test]
    fn unpacking_keeps_headers_and_libraries_only() {
        if !shell().answers("python3", &["--version"]) {
            eprintln!("SKIPPED: unpacking needs python3, as the set-up does");
            return;
        }
        let wheels = folder("unpack");
        let make = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z:\n for n in sys.argv[2:]: z.writestr(n, n)";
        let wheel = wheels.join("torch-1-cp311.whl").to_string_lossy().into_owned();
        let members =
            ["torch/include/a/b.h", "torch/lib/libc10.so", "torch/lib/libtorch_cuda.so", "torch/include/../../x"];
        shell().run("python3", &[&["-c", make, &wheel][..], &members[..]].concat()).unwrap();
        unpack(&shell(), &wheels).unwrap();
        let read = |name: &str| std::fs::read_to_string(wheels.join("libtorch").join(name));
        assert_eq!(read("include/a/b.h").unwrap(), "torch/include/a/b.h");
        assert_eq!(read("lib/libc10.so").unwrap(), "torch/lib/libc10.so");
        assert!(read("lib/libtorch_cuda.so").is_err() && !wheels.join("x").exists());
        assert!(read("build-version").unwrap().starts_with("2.11.0+"));
        std::fs::remove_dir_all(wheels).unwrap();
    }

    /// What a shell makes of the printed lines.
    #[test]
    fn exports_survive_odd_names_and_keep_the_path() {
        let home = PathBuf::from("/a b/it's");
        let lines = exports(&Found { libraries: home.join("lib"), home: Some(home) });
        let script = format!("LD_LIBRARY_PATH=/old; {lines} echo \"$LIBTORCH|$LD_LIBRARY_PATH\"");
        assert_eq!(shell().read("sh", &["-c", &script]).unwrap().trim(), "/a b/it's|/a b/it's/lib:/old");
    }
}
