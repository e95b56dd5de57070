//! The memory that this process may use.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// The mount point of cgroups.
const CGROUPS: &str = "/sys/fs/cgroup";

/// The memory that this process may use, in bytes: a Lambda function's, or the smallest limit of its control groups (cgroup v2 or v1).
/// `None` if there is no limit.
pub fn memory_limit() -> Option<u64> {
    // Reading the control groups would take time from a function's cold start.
    let of_function = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok().and_then(|size| size.parse::<u64>().ok());
    match of_function {
        Some(mebibytes) => mebibytes.checked_mul(1 << 20),
        None => of_cgroups(&fs::read_to_string("/proc/self/cgroup").ok()?, Path::new(CGROUPS)),
    }
}

/// `memberships` is the contents of `/proc/self/cgroup`: a line `ID:CONTROLLERS:PATH` for each hierarchy. Without controllers, it is
/// version 2.
fn of_cgroups(memberships: &str, mount: &Path) -> Option<u64> {
    let limit_of = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let (root, file) = match controllers {
            "" => (mount.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => (mount.join("memory"), "memory.limit_in_bytes"),
            _ => return None,
        };
        smallest(&root, Path::new(path), file)
    };
    memberships.lines().filter_map(limit_of).min()
}

/// The smallest limit of the group at `path` and of the groups around it. A container may see its own group as the root, whatever its
/// path: groups that do not exist there are skipped.
fn smallest(root: &Path, path: &Path, file: &str) -> Option<u64> {
    // `..` leads out of a container's view.
    let inside: PathBuf = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let limits = inside.ancestors().filter_map(|group| {
        let text = fs::read_to_string(root.join(group).join(file)).ok()?;
        // Version 2 writes `max` for no limit, version 1 nearly 2⁶³.
        text.trim().parse::<u64>().ok().filter(|limit| *limit < 1 << 60)
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hierarchy of these files below a mount point of its own.
    fn mounted(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let mount = std::env::temp_dir().join(format!("predict-once-cgroups-{name}-{}", std::process::id()));
        for (file, text) in files {
            let path = mount.join(file);
            fs::create_dir_all(path.parent().expect("below the mount point")).expect("created");
            fs::write(path, text).expect("written");
        }
        mount
    }

    #[test]
    fn the_smallest_limit_of_the_groups_around_the_process_counts() {
        const UNLIMITED: &str = "9223372036854771712\n";
        for (name, memberships, files, limit) in [
            (
                "v2",
                "0::/pods/one\n",
                &[("pods/one/memory.max", "268435456\n"), ("pods/memory.max", "max\n")][..],
                Some(1 << 28),
            ),
            (
                "v2-outer",
                "0::/pods/one\n",
                &[("pods/one/memory.max", "max\n"), ("pods/memory.max", "1048576\n")],
                Some(1 << 20),
            ),
            ("v2-container", "0::/\n", &[("memory.max", "268435456\n")], Some(1 << 28)),
            ("v2-elsewhere", "0::/../../other\n", &[("memory.max", "4096\n")], Some(4096)),
            ("v2-none", "0::/\n", &[("memory.max", "max\n")], None),
            ("v2-root", "0::/\n", &[("cgroup.procs", "1\n")], None),
            (
                "v1",
                "12:cpu,cpuacct:/a\n9:memory:/docker/b\n",
                &[
                    ("memory/docker/b/memory.limit_in_bytes", "536870912\n"),
                    ("memory/memory.limit_in_bytes", UNLIMITED),
                ],
                Some(1 << 29),
            ),
            // A container of version 1 sees the host's path, below which it has no files.
            ("v1-container", "9:memory:/docker/b\n", &[("memory/memory.limit_in_bytes", "134217728\n")], Some(1 << 27)),
            ("v1-none", "9:memory:/\n", &[("memory/memory.limit_in_bytes", UNLIMITED)], None),
            (
                "hybrid",
                "9:memory:/\n0::/\n",
                &[("memory/memory.limit_in_bytes", "8192\n"), ("memory.max", "max\n")],
                Some(8192),
            ),
            ("nonsense", "nonsense\n", &[("memory.max", "4096\n")], None),
        ] {
            let mount = mounted(name, files);
            assert_eq!(of_cgroups(memberships, &mount), limit, "{name}");
            fs::remove_dir_all(mount).expect("removed");
        }
    }
}
