# shellcheck shell=bash
# Shared by the scripts; to be sourced.

# The scripts use it.
# shellcheck disable=SC2034
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# install_package WHAT APT BREW: installs a system package, or says what to install manually.
install_package() {
  local what="$1" apt="$2" brew="$3" sudo=""
  if have apt-get; then
    if [ "$(id -u)" -ne 0 ]; then
      have sudo || die "$what is missing, and sudo is not available to install it. As root: apt-get install $apt"
      sudo=sudo
    fi
    say "Installing $apt with apt-get ($what is missing)"
    mkdir -p "$root/target"
    # Suites run beside each other, and apt-get fails while another one runs. $apt may name several packages.
    # shellcheck disable=SC2086
    (
      flock 9
      $sudo apt-get update -qq
      $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $apt >&2
    ) 9>"$root/target/apt.lock"
  elif have brew; then
    say "Installing $brew with Homebrew ($what is missing)"
    # shellcheck disable=SC2086
    brew install $brew >&2
  else
    die "$what is missing. Install it with this system's package manager (Debian: $apt, Homebrew: $brew)."
  fi
}
