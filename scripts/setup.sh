#!/bin/sh
# What a fresh Debian or Ubuntu machine needs before the first build. Says in one line what it cannot do itself.
# With a project as its argument: what that needs alone, not what the tests of the CUDA kernels do.
set -eu
if ! command -v "${DOTNET:-dotnet}" >/dev/null 2>&1; then
    echo "setup: the .NET 10 SDK is missing (no 'dotnet' on the PATH): install the package dotnet-sdk-10.0 or see https://dot.net" >&2
    exit 3
fi
have_hdf5() {
    [ -n "${CANAL_HDF5:-}" ] && [ -e "$CANAL_HDF5" ] && return 0
    for folder in /lib /usr/lib /usr/local/lib /lib/*-linux-gnu /usr/lib/*-linux-gnu /usr/lib64; do
        for library in "$folder"/libhdf5_serial.so.* "$folder"/libhdf5.so.*; do
            [ -e "$library" ] && return 0
        done
    done
    return 1
}
# install PACKAGE...: the first of them that can be had, where that is allowed.
install() {
    run=""
    [ "$(id -u)" = 0 ] || run="sudo -n"
    command -v apt-get >/dev/null 2>&1 && { [ -z "$run" ] || $run true 2>/dev/null; } || return 0
    $run apt-get update -qq >/dev/null 2>&1 || true
    for package in "$@"; do
        DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 && break
    done
    return 0
}
if ! have_hdf5; then
    echo "setup: installing libhdf5"
    install libhdf5-103-1 libhdf5-103-1t64 libhdf5-310 libhdf5-dev
    if ! have_hdf5; then
        echo "setup: libhdf5 is missing and could not be installed: install it (Debian, Ubuntu: sudo apt-get install libhdf5-dev; Fedora: sudo dnf install hdf5) or name it in CANAL_HDF5" >&2
        exit 3
    fi
fi
if [ -n "${1:-}" ]; then
    exec "${DOTNET:-dotnet}" restore "$1" -v quiet
fi
# Kernels run on the processor in the tests: g++ compiles them for that.
if ! command -v g++ >/dev/null 2>&1; then
    echo "setup: installing g++"
    install g++
    command -v g++ >/dev/null 2>&1 || echo "setup: g++ is missing and could not be installed: tests of the CUDA kernels on the emulator will be skipped (Debian, Ubuntu: sudo apt-get install g++)" >&2
fi
sh scripts/nvrtc.sh
"${DOTNET:-dotnet}" restore Canal.sln -v quiet
