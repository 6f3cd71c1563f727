namespace RingFlash.Cli;

/// <summary>What the tool's exit code means; scripts depend on these numbers, they never change.</summary>
internal static class ExitCodes
{
    /// <summary>Everything compared lies within its budget.</summary>
    public const int WithinBudget = 0;

    /// <summary>Compared and over budget; or nothing was compared, which is never a pass.</summary>
    public const int OverBudget = 1;

    /// <summary>The command line is wrong.</summary>
    public const int WrongUsage = 2;

    /// <summary>An input breaks a rule.</summary>
    public const int BadInput = 3;

    /// <summary>Our fault: an error that no rule foresees.</summary>
    public const int OurFault = 4;

    /// <summary>The surroundings: a missing file, a full disk, no memory, an engine that is not there.</summary>
    public const int Environment = 5;

    /// <summary>Stopped by Ctrl-C (or SIGTERM): 128 + SIGINT, as shells count.</summary>
    public const int Interrupted = 130;
}
