using System.CommandLine;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Objective.Profiles;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash icepop profiles</c>: whose objectives there are.</summary>
internal static class IcePopProfilesCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        ToolCommand command = new(
            "profiles",
            "Lists the profiles: what each framework really computes, from which source, and its known faults.",
            "ringflash icepop profiles");
        command.SetAction((_, _) =>
        {
            ReportText text = new(ReportConsole.Create(context.Output, context.Colour));
            foreach (ObjectiveProfile profile in ObjectiveProfiles.All)
            {
                text.Line($"{profile.Name}: {profile.Summary}");
                text.Line($"    source: {profile.Source}");
                foreach (ProfileFault fault in profile.Faults)
                {
                    text.Line($"    {fault.Number}: {fault.Description}");
                }
            }

            return Task.FromResult(ExitCodes.WithinBudget);
        });
        return command;
    }
}
