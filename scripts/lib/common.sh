# Functions that the scripts share. They read this file with `.`. It sets root, the clone's folder; the caller sets preset.
# shellcheck shell=bash disable=SC2154

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '==> %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '       %s\n' "$2" >&2
    exit "${3:-1}"
}

# Uses the compiler cache that the user has set up, or one in the clone, so that nothing new is written outside of it.
if [ -z "${CCACHE_DIR:-}" ] && [ ! -d "$HOME/.cache/ccache" ] && [ ! -d "$HOME/.ccache" ]; then
    export CCACHE_DIR=$root/.cache/ccache
fi

# The Debian packages that a build needs. CMake does not fetch the libraries that are among them.
debian_packages=(
    g++ cmake ninja-build git ca-certificates python3 python3-venv
    libcli11-dev libspdlog-dev nlohmann-json3-dev libgtest-dev libstb-dev libjpeg-dev zlib1g-dev libhwy-dev libutf8proc-dev
    libcpp-httplib-dev
)
# Continuous integration keeps the compiler cache from one run to the next.
[ -z "${CI:-}" ] || debian_packages+=(ccache)

# Installs the packages that are missing, without asking. If none is missing it does nothing.
install_system_packages() {
    if ! command -v apt-get >/dev/null; then
        check_tools_elsewhere
        return
    fi
    local package missing=()
    for package in "${debian_packages[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || { say "System packages: all there"; return 0; }

    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            fail "system packages are missing and this user can't install them; run once:" \
                "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" 2
        fi
        as_root=(sudo -n)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    local network=(-o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o Acquire::Retries=2
        -o DPkg::Lock::Timeout=120)
    say "System packages: installing ${missing[*]}"
    local log=$root/build/apt.log
    mkdir -p "$root/build"
    if ! "${as_root[@]}" apt-get "${network[@]}" -q update >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        fail "apt-get update failed (all of it: build/apt.log)" "Check the network and /etc/apt, then run this again."
    fi
    if ! "${as_root[@]}" apt-get "${network[@]}" -q -y --no-install-recommends install "${missing[@]}" >>"$log" 2>&1; then
        tail -n 5 "$log" >&2
        fail "apt-get install failed (all of it: build/apt.log)" "Install these yourself, then run this again: ${missing[*]}"
    fi
}

# Without apt it installs nothing, and says which tools are needed. CMake fetches missing libraries.
check_tools_elsewhere() {
    local tool missing=()
    for tool in cmake ninja git python3 c++; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local hint
    case $(uname -s) in
        Darwin) hint="macOS (never tried): xcode-select --install, then: brew install cmake ninja python jpeg-turbo" ;;
        *) hint="Fedora: dnf install gcc-c++ cmake ninja-build git python3 ccache cli11-devel spdlog-devel json-devel gtest-devel stb-devel libjpeg-turbo-devel zlib-devel utf8proc-devel" ;;
    esac
    fail "missing here: ${missing[*]}. Needed: CMake 3.22 or later, Ninja, Git, Python 3.10 or later, and a C++20 compiler (GCC 11, Clang 14)." \
        "$hint" 2
}

# Prints the commit at which this branch left the main branch. On the main branch itself it is the commit before the last.
branch_point() {
    local base
    base=$(git -C "$root" merge-base HEAD "${1:-origin/main}") || fail "no common commit with ${1:-origin/main}" "git fetch origin main" 2
    if [ "$base" = "$(git -C "$root" rev-parse HEAD)" ]; then base=$(git -C "$root" rev-parse HEAD~1); fi
    printf '%s\n' "$base"
}

# Installs packages, then configures build/$preset with CMake, which finds or installs LibTorch.
set_up() {
    install_system_packages
    say "Configuring build/$preset"
    (cd "$root" && cmake --preset "$preset" ${CI:+-DDDPM_WERROR=ON}) ||
        fail "CMake could not configure build/$preset (see above)"
}

# build TARGET… builds in build/$preset, with as many jobs as cores and memory allow (a torch source takes up to 2 GB).
build() {
    local jobs memory
    jobs=$(getconf _NPROCESSORS_ONLN)
    if [ -r /proc/meminfo ]; then
        memory=$(awk '/^MemAvailable/ {print int($2 / 2000000)}' /proc/meminfo)
        [ "$memory" -ge "$jobs" ] || jobs=$((memory > 0 ? memory : 1))
    fi
    say "Building build/$preset with $jobs jobs"
    cmake --build "$root/build/$preset" --parallel "$jobs" --target "$@" || fail "the build failed (see above)"
}

# install_requirements FILE [PIP OPTIONS…] installs what a list of Python packages names into .venv, unless it has been done.
# requirements-alone.txt lists packages whose own dependencies are not wanted: --no-deps.
install_requirements() {
    local requirements=$1 environment=$root/.venv stamp
    stamp=$environment/$(basename "$(dirname "$requirements")")-$(basename "$requirements")
    shift
    if ! cmp -s "$requirements" "$stamp"; then
        say "Python: installing what $(basename "$(dirname "$requirements")")/$(basename "$requirements") lists into .venv"
        "$environment/bin/pip" install --quiet --disable-pip-version-check --no-input --timeout 60 --retries 2 "$@" \
            --requirement "$requirements" || fail "pip could not install $requirements (see above)"
        cp "$requirements" "$stamp"
    fi
}
