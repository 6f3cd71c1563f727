using System;
using System.Collections.Generic;
using System.IO;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <summary>What the HTML reports have in common beside their pictures.</summary>
internal static class PageText
{
    private const int LongestName = 160;

    /// <summary>
    /// Makes a text from a file fit to be shown: control characters visible, the middle of a long one left out; the
    /// JSON report has the whole of it.
    /// </summary>
    /// <param name="name">A name of a tensor, a path.</param>
    /// <returns>One line of at most 160 characters.</returns>
    public static string Name(string name)
    {
        string text = InvalidInputException.Escape(name);
        return text.Length <= LongestName ? text : $"{text[..100]} … {text[^50..]}";
    }

    /// <summary>Makes a sentence fit to be shown, such as a verdict that names a tensor.</summary>
    /// <param name="sentence">The sentence.</param>
    /// <returns>One line of at most 600 characters.</returns>
    public static string Line(string sentence) => InvalidInputException.Escape(sentence);

    /// <summary>The words of a verdict in a table.</summary>
    /// <param name="verdict">The verdict.</param>
    /// <returns>A word or two.</returns>
    public static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Passed => "passed",
        Verdict.Failed => "FAILED",
        _ => "not checked",
    };

    /// <summary>A number that may be absent.</summary>
    /// <param name="value">The number.</param>
    /// <returns>An error, or a dash.</returns>
    public static string Error(double? value) => value is double number ? NumberText.Error(number) : "–";

    /// <summary>
    /// Where this repository lies as seen from a page, so that its verdicts can link to the code they speak of: the
    /// tool is often run inside of it. Nothing outside of the machine is linked.
    /// </summary>
    /// <param name="page">The page, full path.</param>
    /// <param name="currentDirectory">Where the tool was started.</param>
    /// <returns>A relative path with <c>/</c>; null when neither place lies inside the repository.</returns>
    public static string? RepositoryOf(string page, string currentDirectory)
    {
        string pageFolder = Path.GetDirectoryName(page) ?? page;
        foreach (string start in (IEnumerable<string>)[pageFolder, currentDirectory])
        {
            for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, OperatorPage.FileOf("RmsNorm"))))
                {
                    string path = Path.GetRelativePath(pageFolder, folder.FullName);
                    return Path.IsPathRooted(path) ? null : path.Replace(Path.DirectorySeparatorChar, '/');
                }
            }
        }

        return null;
    }
}
