#!/bin/sh
# Makes ringflash-device.tar.xz: every check and benchmark of a card for a linux-x64 machine without .NET.
# usage: tools/Devices/package.sh [FOLDER]     the archive goes to FOLDER, or to the current one
set -eu
target=$(mkdir -p "${1:-.}" && cd "${1:-.}" && pwd)
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
package=$work/ringflash-device
mkdir -p "$package/bin" "$package/golden"

# One folder for both programs: they share the runtime. Intermediate files stay away from the repository's own.
for project in tools/Devices/RingFlash.Devices.csproj tests/RingFlash.Reference.Tests/RingFlash.Reference.Tests.csproj; do
    dotnet publish "$project" -c Release -r linux-x64 --self-contained true --artifacts-path "$work/artifacts" \
        -p:NuGetLockFilePath="$work/$(basename "$project").lock.json" -p:RestoreLockedMode=false \
        -p:DebugType=none -p:GenerateDocumentationFile=false -p:PublishReferencesDocumentationFiles=false \
        -p:SatelliteResourceLanguages=en -p:ValidateExecutableReferencesMatchSelfContained=false \
        -m:1 -v:quiet -nologo -o "$package/bin"
done
rm -rf "$package"/bin/*.xml "$package"/bin/*.pdb "$package/bin/createdump" "$package/bin/Microsoft.CodeCoverage"

cp RingFlash.Reference.sln LICENSE "$package"
cp golden/manifest.json "$package/golden"
for case in flash-full-f32 flash-layers-f32 mini-full-f32 fp8-gemm yarn-tables tiny-bf16 tiny-decode-f32 tiny-f32 \
    tiny-fp8-f32 tiny-padded-f32 tiny-yarn-f32; do
    cp -r "golden/$case" "$package/golden"
done
cp tools/Devices/run.sh tools/Devices/torch_device.py "$package"
chmod +x "$package/run.sh"
XZ_OPT=-9 tar -C "$work" -cJf "$target/ringflash-device.tar.xz" ringflash-device

bytes=$(stat -c %s "$target/ringflash-device.tar.xz")
echo "$target/ringflash-device.tar.xz: $bytes bytes"
if [ "$bytes" -ge $((60 << 20)) ]; then
    echo "that is 60 MiB or more" >&2
    exit 1
fi
