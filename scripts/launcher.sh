#!/bin/sh
# Leaves bin/canal, a launcher for the program just built.
set -eu
configuration=$1
mkdir -p bin
cat > bin/canal.new <<LAUNCHER
#!/bin/sh
root=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
exec "\${DOTNET:-dotnet}" "\$root/src/Canal.Cli/bin/$configuration/net10.0/Canal.Cli.dll" "\$@"
LAUNCHER
chmod +x bin/canal.new
mv bin/canal.new bin/canal
