#!/bin/sh
# What NVIDIA's assembler makes of every kernel for sm_90: registers, stack, spills, shared memory. Not part of CI.
# usage: tools/Devices/ptxas.sh [FOLDER]     ptxas is fetched into FOLDER (default: a folder under TMPDIR) and kept there
#
# ptxas 12.4 comes from Debian 13's package nvidia-cuda-toolkit (non-free, 87 MB), which runs on Debian 12 too. It is
# under NVIDIA's licence: whoever runs this script accepts it; nothing of it belongs into this repository.
set -eu
folder=${1:-${TMPDIR:-/tmp}/ringflash-ptxas}
cd "$(dirname "$0")/../.."
ptxas=$folder/unpacked/usr/bin/ptxas
if [ ! -x "$ptxas" ]; then
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    folder=$(cd "$folder" && pwd)
    ptxas=$folder/unpacked/usr/bin/ptxas
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie non-free" > "$folder/sources.list"
    cat > "$folder/apt.conf" << CONF
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$folder/lists";
Dir::Cache "$folder/cache";
CONF
    (
        cd "$folder"
        apt-get -qq -c apt.conf update
        apt-get -qq -c apt.conf download nvidia-cuda-toolkit
        dpkg -x nvidia-cuda-toolkit_*.deb unpacked
    )
fi

texts=$(mktemp -d)
trap 'rm -rf "$texts"' EXIT
dotnet run -c Release --project tools/Devices -- write "$texts" > "$texts/log"
status=0
printf '%-80s %9s %6s %6s %7s\n' kernel registers stack spills shared
for file in "$texts"/*.ptx; do
    if "$ptxas" -arch=sm_90 -v "$file" -o "$texts/cubin" > "$texts/log" 2>&1; then
        awk -v name="$(basename "$file" .ptx)" '
            match($0, /[0-9]+ bytes stack/) { stack = substr($0, RSTART) + 0 }
            match($0, /[0-9]+ bytes spill stores/) { spills = substr($0, RSTART) + 0 }
            match($0, /Used [0-9]+ registers/) { registers = substr($0, RSTART + 5) + 0 }
            match($0, /[0-9]+ bytes smem/) { shared = substr($0, RSTART) + 0 }
            END {
                printf "%-80s %9d %6d %6d %7d\n", name, registers, stack, spills, shared
                exit shared > 49152 || spills > 0
            }' "$texts/log" || { echo "spills, or more than 48 KB of static shared memory" >&2; status=1; }
    else
        cat "$texts/log" >&2
        status=1
    fi
done
exit $status
