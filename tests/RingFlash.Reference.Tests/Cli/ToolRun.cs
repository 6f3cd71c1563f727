// Red here means that the tool was not run as a user would run it; no product defect.
using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Tests.Cli;

/// <summary>What one run of the tool said and returned.</summary>
internal sealed record ToolRun(int Code, string Output, string Error)
{
    public static Task<ToolRun> With(VerifyReport report, params string[] args) => With(_ => report, args);

    public static async Task<ToolRun> With(Func<VerifyOptions, VerifyReport> verify, params string[] args)
    {
        StringWriter output = new();
        StringWriter error = new();
        int code = await Program.RunAsync(args, output, error, (options, _, _) => verify(options));
        return new ToolRun(code, output.ToString(), error.ToString());
    }

    public static async Task<ToolRun> In(
        ToolContext surroundings, CancellationToken cancellation, params string[] args)
    {
        StringWriter output = new();
        StringWriter error = new();
        ToolContext context = surroundings with { Output = output, Error = error };
        int code = await Program.RunAsync(args, context, cancellation);
        return new ToolRun(code, output.ToString(), error.ToString());
    }

    public static ToolContext Surroundings(VerifyRunner verify) =>
        new() { Output = TextWriter.Null, Error = TextWriter.Null, Verify = verify };
}
