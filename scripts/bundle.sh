#!/usr/bin/env bash
# One self-contained program: no SDK, no ICU; only libhdf5 is looked for on the machine, and only to read .h5ad files.
set -euo pipefail
out=bin/bundle
rm -rf "$out"
dotnet publish src/Canal.Cli/Canal.Cli.csproj -c Release -r linux-x64 --self-contained true -p:PublishSingleFile=true \
    -p:IncludeNativeLibrariesForSelfExtract=true -p:DebugType=none -p:GenerateDocumentationFile=false -v quiet --nologo -o "$out"
mv "$out/Canal.Cli" "$out/canal"
tar -C "$out" -cJf bin/canal-linux-x64.tar.xz canal
ls -l bin/canal-linux-x64.tar.xz
