using System;
using System.IO;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli;

/// <summary>Turns an exception into an exit code and one line.</summary>
internal static class ErrorLine
{
    /// <summary>Writes the line, and the stack trace when it is asked for.</summary>
    /// <param name="exception">The error.</param>
    /// <param name="error">Standard error.</param>
    /// <param name="debug">Whether <c>--debug</c> was given.</param>
    /// <param name="cancelled">Whether the user stopped the run.</param>
    /// <returns>The exit code.</returns>
    public static int Report(Exception exception, TextWriter error, bool debug, bool cancelled)
    {
        Exception cause = Unwrap(exception);
        (int code, string message) = Classify(cause, cancelled);
        error.WriteLine($"ringflash: {InvalidInputException.Escape(message)}");
        if (debug)
        {
            error.WriteLine(exception);
        }

        return code;
    }

    // Worker threads wrap what they throw; the person wants the reason and not the wrapping.
    private static Exception Unwrap(Exception exception)
    {
        while (exception is AggregateException { InnerExceptions.Count: > 0 } aggregate)
        {
            exception = aggregate.InnerExceptions[0];
        }

        return exception;
    }

    private static (int Code, string Message) Classify(Exception exception, bool cancelled) => exception switch
    {
        OperationCanceledException when cancelled => (ExitCodes.Interrupted, "stopped by Ctrl-C"),
        UsageException => (ExitCodes.WrongUsage, exception.Message),
        InvalidInputException { IsSetting: true } => (ExitCodes.WrongUsage, exception.Message),
        InvalidInputException => (ExitCodes.BadInput, exception.Message),
        EnvironmentException => (ExitCodes.Environment, exception.Message),
        OutOfMemoryException => (ExitCodes.Environment, "out of memory"),

        // Missing files, full disks, broken links, missing rights: whatever a reader did not catch by name.
        IOException or UnauthorizedAccessException => (ExitCodes.Environment, exception.Message),
        _ => (ExitCodes.OurFault,
            $"internal error: {exception.GetType().Name}: {exception.Message} (please report it; --debug shows where)"),
    };
}
