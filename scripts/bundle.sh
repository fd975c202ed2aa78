#!/usr/bin/env bash
# One self-contained program: no SDK, no ICU; only libhdf5 is looked for on the machine, and only to read and write .h5ad files.
set -euo pipefail
case $(uname -m) in
    x86_64) rid=linux-x64 ;;
    aarch64) rid=linux-arm64 ;;
    *) echo "bundle: no runtime for $(uname -m) is known here" >&2; exit 3 ;;
esac
out=bin/bundle
rm -rf "$out"
"${DOTNET:-dotnet}" publish src/Canal.Cli/Canal.Cli.csproj -c Release -r $rid --self-contained true -p:PublishSingleFile=true \
    -p:IncludeNativeLibrariesForSelfExtract=true -p:DebugType=none -v quiet --nologo -o "$out"
mv "$out/Canal.Cli" "$out/canal"
rm -f "$out"/*.xml "$out"/*.pdb
tar -C "$out" -czf "bin/canal-$rid.tar.gz" canal
ls -l "bin/canal-$rid.tar.gz"
