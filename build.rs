//! Compiles `csrc/` against the headers of the interpreter that the extension
//! is built for, and refuses interpreters whose layouts nobody has checked.

use std::path::{Path, PathBuf};
use std::process::{exit, Command};

use pyo3_build_config::{BuildFlag, InterpreterConfig, PythonImplementation};

/// The minor versions of CPython 3 whose layouts `csrc/` knows.
const OLDEST: u8 = 11;
const NEWEST: u8 = 15;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=csrc");
    println!("cargo::rerun-if-env-changed=GCREMAP_WERROR");
    pyo3_build_config::use_pyo3_cfgs();
    pyo3_build_config::add_extension_module_link_args();

    let config = pyo3_build_config::get();
    if let Some(sentence) = refusal(config) {
        fail(&sentence);
    }
    let debug = config.build_flags().0.contains(&BuildFlag::Py_DEBUG);
    compile(&c_sources(Path::new("csrc")), &include_dirs(config), debug);
}

/// Why gcremap cannot be built for this interpreter, or `None`.
fn refusal(config: &InterpreterConfig) -> Option<String> {
    let supported = format!("gcremap supports CPython 3.{OLDEST} to 3.{NEWEST}");
    let version = config.version();
    if config.implementation() != PythonImplementation::CPython {
        return Some(format!(
            "{supported}, and this is {}: it does not keep objects the way CPython does.",
            config.implementation()
        ));
    }
    if version.major != 3 || !(OLDEST..=NEWEST).contains(&version.minor) {
        return Some(format!("{supported}, and this is Python {version}."));
    }
    if config.build_flags().0.contains(&BuildFlag::Py_GIL_DISABLED) {
        return Some(format!("{supported} with the GIL, and this is a free-threaded build."));
    }
    None
}

/// The public headers and, for object layouts, CPython's internal ones.
fn include_dirs(config: &InterpreterConfig) -> Vec<PathBuf> {
    let Some(python) = config.executable() else {
        fail("gcremap needs a Python interpreter to ask for its headers: set PYO3_PYTHON.");
    };
    let script = "import sysconfig\n\
                  for name in ('include', 'platinclude'): print(sysconfig.get_path(name))";
    let output = match Command::new(python).args(["-c", script]).output() {
        Ok(output) if output.status.success() => output,
        Ok(output) => fail(&format!(
            "{python} does not say where its headers are: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => fail(&format!("{python} cannot be run: {error}.")),
    };
    let mut dirs: Vec<PathBuf> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let dir = PathBuf::from(line);
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    if !dirs.iter().any(|dir| dir.join("Python.h").is_file()) {
        fail(&format!(
            "The headers of {python} are not installed: no Python.h in {}.",
            dirs[0].display()
        ));
    }
    let internal: Vec<PathBuf> = dirs.iter().map(|dir| dir.join("internal")).collect();
    dirs.extend(internal.into_iter().filter(|dir| dir.is_dir()));
    dirs
}

fn c_sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("csrc/ is part of the source");
    let mut sources: Vec<PathBuf> = entries
        .map(|entry| entry.expect("csrc/ is readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    // A stable order makes builds reproducible.
    sources.sort();
    sources
}

fn compile(sources: &[PathBuf], include_dirs: &[PathBuf], python_debug: bool) {
    if sources.is_empty() {
        return;
    }
    let mut build = cc::Build::new();
    build
        .files(sources)
        .std("c11")
        .flag("-fvisibility=hidden")
        .warnings(true)
        .extra_warnings(true)
        .flag("-Wundef")
        // Debian's debug headers are links to the release ones, all but pyconfig.h: gcc
        // would look for that beside what a link points to, and build for release.
        .flag_if_supported("-fno-canonical-system-headers")
        .flag("-Werror=implicit-function-declaration")
        .flag("-Werror=incompatible-pointer-types")
        // gcc reads a system header by its shortest name: where a debug build's Python.h is
        // a link to the release's (Debian), it would find the pyconfig.h of the release.
        .flag_if_supported("-fno-canonical-system-headers");
    for dir in include_dirs {
        // CPython's own headers are not held to gcremap's warnings.
        build.flag("-isystem").flag(dir);
    }
    if let Some(parent) = include_dirs[0].parent() {
        // Debian's pyconfig.h includes <x86_64-linux-gnu/...>, relative to the folder
        // above; searched last, as it may be a whole system's other than this one's.
        build.flag("-idirafter").flag(parent);
    }
    if !python_debug {
        // The assertions in CPython's inline functions are for debug builds and
        // may call what only those export.
        build.define("NDEBUG", None);
    }
    if std::env::var_os("GCREMAP_WERROR").is_some() {
        build.warnings_into_errors(true);
    }
    build.compile("gcremap_c");
}

fn fail(sentence: &str) -> ! {
    println!("cargo::error={sentence}");
    exit(1)
}
