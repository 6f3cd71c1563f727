using System.IO;
using System.Text;
using RingFlash.Reference.Configuration;

namespace RingFlash.Cli.Commands;

/// <summary>
/// A configuration as people name it: a built-in one, a <c>config.json</c>, or the folder that holds one.
/// </summary>
/// <param name="Text">What was typed.</param>
/// <param name="Json">The <c>config.json</c>, UTF-8.</param>
internal sealed record ConfigurationName(string Text, byte[] Json)
{
    /// <summary>Finds a configuration.</summary>
    /// <param name="text">NAME, FILE or FOLDER.</param>
    /// <param name="option">The option or argument, for the message.</param>
    /// <param name="currentDirectory">Where relative paths start.</param>
    /// <returns>The configuration, its bytes not checked yet.</returns>
    /// <exception cref="UsageException">It is none of the three.</exception>
    public static ConfigurationName Find(string text, string option, string currentDirectory)
    {
        if (text.Trim().Length == 0 || text.Contains('\0'))
        {
            throw new UsageException($"{option} needs a name or a file");
        }

        foreach (string name in BuiltInConfigurations.Names)
        {
            if (name == text)
            {
                return new ConfigurationName(text, Encoding.UTF8.GetBytes(BuiltInConfigurations.Get(name).Json));
            }
        }

        string path = Path.GetFullPath(text, currentDirectory);
        string file = Directory.Exists(path) ? Path.Combine(path, "config.json") : path;
        return Path.Exists(path)
            ? new ConfigurationName(text, ConfigurationReader.ReadBytes(file))
            : throw new UsageException(
                $"{option}: '{text}' is neither a file nor a built-in configuration; known are "
                + string.Join(", ", BuiltInConfigurations.Names));
    }
}
