using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Threading.Tasks;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>The loss refused a case with <c>{"error": "..."}</c>: an answer, not a broken program.</summary>
/// <param name="message">What the program said.</param>
public sealed class LossRefusedException(string message) : Exception(message);

/// <summary>
/// Somebody's loss as a program: started once, then one line of JSON for each case and one for each answer. README.md
/// of this folder states the protocol.
/// </summary>
/// <remarks>
/// A program that cannot be started is an <see cref="EnvironmentException"/>; one that ends, is silent for too long or
/// breaks the protocol is an <see cref="InvalidInputException"/> that names the program and the case. After either it
/// is not asked again. One thread at a time.
/// </remarks>
public sealed class ExternalLoss : IDisposable
{
    /// <summary>How long a program may think about one case; the first includes its imports.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    private const int MostBytesOfAnAnswer = 64 * 1024 * 1024;

    private const int MostErrorLines = 40;

    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly Process process;
    private readonly Stream questions;
    private readonly Stream answers;
    private readonly TimeSpan timeout;
    private readonly TextWriter? diagnostics;
    private readonly byte[] buffer = new byte[64 * 1024];
    private int bufferStart;
    private int bufferEnd;
    private int errorLines;
    private volatile string lastError = string.Empty;
    private bool broken;

    private ExternalLoss(string program, Process process, TimeSpan timeout, TextWriter? diagnostics)
    {
        Program = program;
        this.process = process;
        this.timeout = timeout;
        this.diagnostics = diagnostics;
        questions = process.StandardInput.BaseStream;
        answers = process.StandardOutput.BaseStream;
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
        process.BeginErrorReadLine();
    }

    /// <summary>The command line as the user gave it.</summary>
    public string Program { get; }

    /// <summary>The name under which the next cases are sent, and by which messages name them.</summary>
    public string CaseName { get; set; } = "case";

    /// <summary>Starts a program.</summary>
    /// <param name="program">A program and its arguments, separated by spaces; "…" and '…' keep spaces.</param>
    /// <param name="workingDirectory">Where it starts; null for the current directory.</param>
    /// <param name="diagnostics">Receives the lines of its standard error, named; null keeps only the last.</param>
    /// <param name="timeout">The most time for one case; null for <see cref="DefaultTimeout"/>.</param>
    /// <returns>The loss.</returns>
    /// <exception cref="ArgumentException">The command line is empty or has an open quotation mark.</exception>
    /// <exception cref="EnvironmentException">It cannot be started.</exception>
    public static ExternalLoss Start(
        string program,
        string? workingDirectory = null,
        TextWriter? diagnostics = null,
        TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(program);
        IReadOnlyList<string> words = Split(program);
        ProcessStartInfo start = new(words[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
            WorkingDirectory = workingDirectory ?? string.Empty,
        };
        for (int i = 1; i < words.Count; i++)
        {
            start.ArgumentList.Add(words[i]);
        }

        try
        {
            return new ExternalLoss(
                program,
                Process.Start(start)!,
                timeout ?? DefaultTimeout,
                diagnostics is null ? null : TextWriter.Synchronized(diagnostics));
        }
        catch (Exception exception) when (exception is Win32Exception or IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(words[0], "cannot be started: " + exception.Message, exception);
        }
    }

    /// <summary>Sends a case and reads the answer; a <see cref="LossUnderTest"/>.</summary>
    /// <param name="batch">The responses.</param>
    /// <param name="options">A band and clip widths; everything else at its default.</param>
    /// <returns>What the program says.</returns>
    /// <exception cref="LossRefusedException">The program answered with an error.</exception>
    /// <exception cref="InvalidInputException">The program ended, was silent for too long, or its answer is not one.
    /// </exception>
    public LossOutcome Evaluate(RolloutBatch batch, PolicyObjectiveOptions options)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(options);
        if (broken)
        {
            throw Refuse("is not asked again after its failure");
        }

        byte[] question = ExternalLossProtocol.Question(CaseName, batch, options);
        broken = true; // until a whole answer has been read
        byte[] answer = Ask(question);
        if (bufferStart < bufferEnd)
        {
            throw Refuse("answered with more than one line");
        }

        try
        {
            LossOutcome outcome = ExternalLossProtocol.Answer(answer, $"{Program}: case {CaseName}", CaseName, batch);
            broken = false;
            return outcome;
        }
        catch (LossRefusedException)
        {
            broken = false;
            throw;
        }
    }

    /// <summary>Closes the program's input, and ends it where that is not enough.</summary>
    public void Dispose()
    {
        try
        {
            questions.Dispose();
        }
        catch (IOException)
        {
            // it has ended before
        }

        if (!process.WaitForExit(Farewell))
        {
            Kill();
        }

        process.Dispose();
    }

    /// <summary>Words separated by spaces; quotation marks of either kind keep spaces together.</summary>
    internal static IReadOnlyList<string> Split(string line)
    {
        List<string> words = [];
        StringBuilder word = new();
        bool open = false;
        char quote = '\0';
        foreach (char character in line)
        {
            if (quote != '\0')
            {
                quote = character == quote ? '\0' : quote;
                _ = quote == '\0' ? word : word.Append(character);
            }
            else if (character is '"' or '\'')
            {
                (quote, open) = (character, true);
            }
            else if (!char.IsWhiteSpace(character))
            {
                word.Append(character);
                open = true;
            }
            else if (open)
            {
                words.Add(word.ToString());
                word.Clear();
                open = false;
            }
        }

        if (open)
        {
            words.Add(word.ToString());
        }

        return quote != '\0' ? throw new ArgumentException($"the quotation mark {quote} is not closed in: {line}")
            : words.Count == 0 || words[0].Length == 0 ? throw new ArgumentException("the program has no name")
            : words;
    }

    private byte[] Ask(byte[] question)
    {
        // Writing can block as well as reading: a program that does not read fills the pipe.
        Task<byte[]?> exchange = Task.Run(() =>
        {
            questions.Write(question);
            questions.Flush();
            return ReadLine();
        });
        try
        {
            if (!exchange.Wait(timeout))
            {
                Kill();
                throw Refuse(string.Create(
                    System.Globalization.CultureInfo.InvariantCulture,
                    $"gave no answer within {timeout.TotalSeconds} s"));
            }

            return exchange.Result ?? throw Ended();
        }
        catch (AggregateException exception) when (exception.InnerException is InvalidInputException refusal)
        {
            Kill();
            throw refusal;
        }
        catch (AggregateException exception) when (exception.InnerException is IOException or ObjectDisposedException)
        {
            throw Ended();
        }
    }

    /// <summary>One line without its end; null at the end of the stream.</summary>
    private byte[]? ReadLine()
    {
        using MemoryStream line = new();
        while (true)
        {
            int length = Array.IndexOf(buffer, (byte)'\n', bufferStart, bufferEnd - bufferStart) - bufferStart;
            if (length >= 0)
            {
                line.Write(buffer, bufferStart, length);
                bufferStart += length + 1;
                return line.ToArray();
            }

            line.Write(buffer, bufferStart, bufferEnd - bufferStart);
            if (line.Length > MostBytesOfAnAnswer)
            {
                throw Refuse($"sent more than {MostBytesOfAnAnswer} bytes without ending the line");
            }

            (bufferStart, bufferEnd) = (0, answers.Read(buffer));
            if (bufferEnd == 0)
            {
                return null;
            }
        }
    }

    private InvalidInputException Ended() => Refuse(
        process.WaitForExit(Farewell) ? $"ended with exit code {process.ExitCode}" : "closed its output");

    private InvalidInputException Refuse(string rule) =>
        new(Program, $"case {CaseName}", lastError.Length == 0 ? rule : $"{rule}; it last wrote: {lastError}");

    private void Hear(string? line)
    {
        if (string.IsNullOrWhiteSpace(line))
        {
            return;
        }

        lastError = line.Length > 200 ? line[..200] + "…" : line;
        errorLines++;
        if (errorLines <= MostErrorLines)
        {
            diagnostics?.WriteLine(InvalidInputException.Escape($"{Program}: {line}"));
        }
        else if (errorLines == MostErrorLines + 1)
        {
            diagnostics?.WriteLine(InvalidInputException.Escape($"{Program}: … (further lines are not shown)"));
        }
    }

    private void Kill()
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception exception) when (exception is InvalidOperationException or Win32Exception)
        {
            // it has ended by itself
        }
    }
}
