using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;

namespace RingFlash.Benchmarks;

/// <summary>
/// A Python or Node script beside this program that answers every line with the milliseconds of one run, so that
/// both sides can be timed in alternation. Its first line is "ready" and what it wants to have printed, or an error.
/// </summary>
internal sealed class ScriptPeer : IDisposable
{
    private readonly Process process;

    private ScriptPeer(Process process) => this.process = process;

    /// <summary>Starts a script, or says on the console why it is not available.</summary>
    /// <param name="interpreter">The interpreter.</param>
    /// <param name="script">The file name of the script.</param>
    /// <param name="arguments">What it is told.</param>
    /// <returns>The peer, or null.</returns>
    public static ScriptPeer? Start(string interpreter, string script, params string[] arguments)
    {
        ProcessStartInfo info = new(interpreter, [Path.Combine(AppContext.BaseDirectory, script), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            Process process = Process.Start(info)!;
            string? ready = process.StandardOutput.ReadLine();
            if (ready is not null && ready.StartsWith("ready ", StringComparison.Ordinal))
            {
                Console.WriteLine($"  peer: {ready["ready ".Length..]}");
                return new ScriptPeer(process);
            }

            string[] complaint = process.StandardError.ReadToEnd().Trim().Split('\n');
            Console.WriteLine($"  {script} is not available: {complaint[^1]}");
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            Console.WriteLine($"  {script} is not available: {exception.Message}");
        }

        return null;
    }

    /// <summary>Runs once.</summary>
    /// <returns>Milliseconds, as the script measured them.</returns>
    public double Once()
    {
        process.StandardInput.WriteLine("run");
        return double.Parse(process.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        process.StandardInput.Close();
        process.WaitForExit(5000);
        process.Dispose();
    }
}
