namespace RingFlash.Reference.Dumps;

/// <summary>Names that strangers chose, in messages.</summary>
internal static class Names
{
    /// <summary>Shortens a name: messages are cut at 600 characters, and the rule must stay in.</summary>
    /// <param name="name">A name from a file.</param>
    /// <returns>At most its first 120 characters.</returns>
    public static string Shown(string name) => name.Length <= 120 ? name : name[..120] + "…";
}
