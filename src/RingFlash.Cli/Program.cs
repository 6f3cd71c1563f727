using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Commands;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli;

/// <summary>The tool <c>ringflash</c>: one file under <c>Commands</c> for each command.</summary>
internal static class Program
{
    /// <summary>What <c>ringflash --help</c> ends with.</summary>
    public static readonly IReadOnlyList<string> RootExamples =
    [
        "ringflash verify                       # every golden case of this repository",
        "ringflash verify --help                # the options of one command",
    ];

    private static async Task<int> Main(string[] args)
    {
        using CancellationTokenSource cancellation = new();
        using IDisposable signals = Interruption.Listen(cancellation);

        // "dumb" is the terminal of editors and logs: it shows cursor movements as rubbish.
        bool dumb = Environment.GetEnvironmentVariable("TERM") == "dumb";
        bool terminal = !Console.IsOutputRedirected && !dumb;
        ToolContext context = new()
        {
            Output = Console.Out,
            Error = Console.Error,
            Verify = Verifier.Run,
            OutputIsTerminal = terminal,
            ApiKey = Environment.GetEnvironmentVariable("RINGFLASH_API_KEY"),
            ErrorIsTerminal = !Console.IsErrorRedirected && !dumb,
            Colour = ToolContext.WantsColour(terminal, Environment.GetEnvironmentVariable("NO_COLOR")),
        };
        return await RunAsync(args, context, cancellation.Token).ConfigureAwait(false);
    }

    /// <summary>Runs the tool with redirected output; what the tests call.</summary>
    /// <param name="args">The words after <c>ringflash</c>.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="error">Standard error.</param>
    /// <param name="verify">Runs verifications.</param>
    /// <returns>The exit code.</returns>
    internal static Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, VerifyRunner verify) =>
        RunAsync(args, new ToolContext { Output = output, Error = error, Verify = verify });

    /// <summary>Runs the tool.</summary>
    /// <param name="args">The words after <c>ringflash</c>.</param>
    /// <param name="context">The outside world.</param>
    /// <param name="cancellation">Cancelled by the first Ctrl-C.</param>
    /// <returns>The exit code.</returns>
    internal static async Task<int> RunAsync(
        string[] args, ToolContext context, CancellationToken cancellation = default)
    {
        Option<bool> debug = new("--debug") { Description = "Show the stack trace of an error.", Recursive = true };
        RootCommand root = CreateRoot(context, debug);

        // No response files: a path may begin with '@'. No bundling: '-abc' is a mistake and not three options.
        ParserConfiguration parser = new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };
        ParseResult parsed = root.Parse(args, parser);
        bool wantsTrace = args.Contains("--debug");
        try
        {
            RefuseMistakes(parsed);
            InvocationConfiguration invocation = new()
            {
                Output = context.Output,
                Error = context.Error,
                EnableDefaultExceptionHandler = false,

                // The library would cut a run short two seconds after Ctrl-C; Interruption waits for it instead.
                ProcessTerminationTimeout = null,
            };
            return await parsed.InvokeAsync(invocation, cancellation).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            return ErrorLine.Report(exception, context.Error, wantsTrace, cancellation.IsCancellationRequested);
        }
    }

    private static RootCommand CreateRoot(ToolContext context, Option<bool> debug)
    {
        RootCommand root = new(
            "The reference implementation of Ring-flash-2.0: says which operator is wrong, by how much, and why.")
        {
            debug,
            VerifyCommand.Create(context),
            IcePopCommand.Create(context),
            SynthCommand.Create(context),
            InspectCommand.Create(context),
            TokenizeCommand.Create(context),
            CompareCommand.Create(context),
            DiagnoseCommand.Create(context),
            CaptureCommand.Create(context),
            GenerateCommand.Create(context),
            BenchCommand.Create(context),
            ServeCommand.Create(context),
            ServerCommand.Create(context),
        };
        root.HelpName = "ringflash";
        foreach (Option option in root.Options)
        {
            switch (option)
            {
                case HelpOption { Action: HelpAction help }:
                    option.Action = new HelpWithExamples(help);
                    break;
                case VersionOption:
                    option.Action = new VersionLine();
                    break;
            }
        }

        // The library offers directives such as [diagram]; nobody asked for them and '[' may begin a file's name.
        root.Directives.Clear();
        return root;
    }

    private static void RefuseMistakes(ParseResult parsed)
    {
        if (parsed.Action is CommandLineAction { ClearsParseErrors: true })
        {
            return;
        }

        RefuseUnknownOptions(parsed);
        if (parsed.Errors.Count == 0)
        {
            return;
        }

        if (parsed.CommandResult.Command is RootCommand && parsed.UnmatchedTokens.Count > 0)
        {
            string word = parsed.UnmatchedTokens[0];
            string kind = word.StartsWith('-') ? "option" : "command";
            throw new UsageException($"unknown {kind} '{word}'; see ringflash --help");
        }

        if (parsed.CommandResult.Command is RootCommand && parsed.Tokens.All(token => token.Type == TokenType.Option))
        {
            throw new UsageException("a command is missing; see ringflash --help");
        }

        string place = parsed.CommandResult.Command is RootCommand
            ? "ringflash"
            : $"ringflash {parsed.CommandResult.Command.Name}";
        throw new UsageException($"{parsed.Errors[0].Message.TrimEnd('.')}; see {place} --help");
    }

    // The library hands an unknown '--option' to a list of paths, be it an argument's or an option's; a typing error
    // would become a missing file.
    private static void RefuseUnknownOptions(ParseResult parsed)
    {
        int afterDashes = parsed.Tokens.Reverse().TakeWhile(token => token.Type != TokenType.DoubleDash).Count();
        bool hasDashes = parsed.Tokens.Any(token => token.Type == TokenType.DoubleDash);
        HashSet<Token> literal = new(
            hasDashes ? parsed.Tokens.Skip(parsed.Tokens.Count - afterDashes) : [], ReferenceEqualityComparer.Instance);
        Command command = parsed.CommandResult.Command;
        IEnumerable<IEnumerable<Token>> lists = command.Arguments
            .Select(argument => parsed.GetResult(argument)?.Tokens ?? [])
            .Concat(command.Options.Where(option => option.AllowMultipleArgumentsPerToken)
                .Select(option => parsed.GetResult(option)?.Tokens ?? []));
        foreach (IEnumerable<Token> tokens in lists)
        {
            foreach (Token token in tokens)
            {
                if (token.Value.StartsWith('-') && token.Value.Length > 1 && !literal.Contains(token))
                {
                    throw new UsageException(
                        $"unknown option '{token.Value}'; see ringflash {parsed.CommandResult.Command.Name} --help");
                }
            }
        }
    }

    private sealed class VersionLine : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            parseResult.InvocationConfiguration.Output.WriteLine($"ringflash {ToolVersion.Text}");
            return ExitCodes.WithinBudget;
        }
    }
}

/// <summary>The version of the tool.</summary>
internal static class ToolVersion
{
    /// <summary>Version and, where the build knows it, the commit.</summary>
    public static string Text { get; } =
        typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
        ?? "unknown";
}
