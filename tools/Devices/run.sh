#!/bin/sh
# Checks and times everything on this machine's card; writes report.txt and report.json beside this file.
# Exit code: 0 all passed, 1 something did not, 5 no card. With --rehearse: the same on the CPU, small, no times.
cd "$(dirname "$0")" || exit 5
export DOTNET_gcServer=0 DOTNET_CLI_TELEMETRY_OPTOUT=1
{
    ./bin/RingFlash.Devices report --golden golden --tests bin/RingFlash.Reference.Tests --json report.json "$@" 2>&1
    echo $? > status
} | tee report.txt
status=$(cat status)
rm -f status

# The same shapes with PyTorch, where it is installed and sees the card.
if [ "$status" != 5 ] && [ $# -eq 0 ] && command -v python3 > /dev/null; then
    python3 torch_device.py 2>&1 | tee -a report.txt
fi
exit "$status"
