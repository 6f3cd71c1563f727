using System.Collections.Generic;

namespace RingFlash.Cli.ServerCheck;

/// <summary>What an oddity does to the verdict.</summary>
internal enum OddityWeight
{
    /// <summary>Worth knowing; changes nothing.</summary>
    Note,

    /// <summary>Something could not be compared; the verdict says so.</summary>
    Gap,

    /// <summary>The server is wrong: the verdict is FAILED.</summary>
    Fault,

    /// <summary>The check ends here.</summary>
    End,
}

/// <summary>
/// The oddities of servers, each with a name that stays and what follows from it. The list is that of the page
/// README.md in this folder.
/// </summary>
/// <param name="Name">For scripts.</param>
/// <param name="Weight">What it does to the verdict.</param>
/// <param name="ExitCode">The exit code where the check ends.</param>
/// <param name="Consequence">What follows from it.</param>
internal sealed record OddityKind(string Name, OddityWeight Weight, int ExitCode, string Consequence)
{
    private static readonly List<OddityKind> Known = [];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<OddityKind> All => Known;

    /// <summary>No connection.</summary>
    public static OddityKind Unreachable { get; } = Away("unreachable", "nobody listens there; is the server running?");

    /// <summary>No trust.</summary>
    public static OddityKind Tls { get; } = Away("tls", "no trusted https connection; nothing was sent");

    /// <summary>No answer in time.</summary>
    public static OddityKind TimedOut { get; } = Away("timed-out", "no whole answer in time; see --timeout");

    /// <summary>429 or 503, again and again.</summary>
    public static OddityKind Busy { get; } = Away("busy", "the server is overloaded or still loading; try again later");

    /// <summary>401 or 403.</summary>
    public static OddityKind Unauthorised { get; } = Away("unauthorised", "the server wants another RINGFLASH_API_KEY");

    /// <summary>500 and above.</summary>
    public static OddityKind ServerError { get; } = Bad(
        "server-error", "not asked again: prompt log-probabilities can kill a server; see its log");

    /// <summary>400 and others.</summary>
    public static OddityKind Refused { get; } = Bad("refused", "the server does not take the request");

    /// <summary>404.</summary>
    public static OddityKind NotFound { get; } = Bad(
        "not-found", "this server does not speak this interface; see --api");

    /// <summary>HTML with 200.</summary>
    public static OddityKind Html { get; } = Bad(
        "html", "a web page, of a proxy or a log-in, and not the server's answer");

    /// <summary>More than the cap.</summary>
    public static OddityKind TooLarge { get; } = Bad("too-large", "not read further; the cap counts unpacked bytes");

    /// <summary>Another origin.</summary>
    public static OddityKind Redirect { get; } = Bad(
        "redirect", "not followed: a key or a prompt is for the named server only; give the address itself");

    /// <summary>The end is missing.</summary>
    public static OddityKind Truncated { get; } = Bad(
        "truncated", "the answer broke off; the server or a proxy cut it");

    /// <summary>No JSON.</summary>
    public static OddityKind NotJson { get; } = Bad("not-json", "the answer cannot be read");

    /// <summary>One key twice.</summary>
    public static OddityKind DuplicateKey { get; } = Bad(
        "duplicate-key", "readers disagree on which one counts, as where two tokens have one text");

    /// <summary>JSON of another form.</summary>
    public static OddityKind WrongShape { get; } = Bad("wrong-shape", "the answer is not what this interface sends");

    /// <summary>The server read another prompt.</summary>
    public static OddityKind IdsDiffer { get; } = Add(new(
        "ids-differ",
        OddityWeight.End,
        ExitCodes.OverBudget,
        "the server read another prompt; no number was compared"));

    /// <summary>NaN.</summary>
    public static OddityKind NotANumber { get; } = Fault("nan", "the server computed no number there");

    /// <summary>Plus infinity.</summary>
    public static OddityKind Infinity { get; } = Fault("infinity", "no log-probability is above 0");

    /// <summary>Minus infinity, or what stands for it.</summary>
    public static OddityKind MinusInfinity { get; } = Fault(
        "minus-infinity",
        "minus infinity (-9999 stands for it): the server calls the token impossible, which the model never does");

    /// <summary>Above 0.</summary>
    public static OddityKind Positive { get; } = Fault("positive", "no log-probability is above 0: logits were sent?");

    /// <summary>The prompt's own token is not told.</summary>
    public static OddityKind TokenMissing { get; } = Fault(
        "token-missing", "the place does not tell the prompt's own token: the list is that of another place");

    /// <summary>The server cuts another text into other tokens.</summary>
    public static OddityKind TokenisationDiffers { get; } = Fault(
        "tokenisation-differs", "texts mean something else there; ids were sent, so numbers could be compared");

    /// <summary>Null.</summary>
    public static OddityKind Null { get; } = Gap("null", "the server tells no number there; not compared");

    /// <summary>No prompt log-probabilities.</summary>
    public static OddityKind NoPrompt { get; } = Gap(
        "no-prompt-log-probabilities", "the server tells none; only what it generates was compared");

    /// <summary>No log-probabilities.</summary>
    public static OddityKind NoGenerated { get; } = Gap(
        "no-log-probabilities", "the server tells none for what it generates");

    /// <summary>No experts.</summary>
    public static OddityKind NoExperts { get; } = Gap(
        "no-experts", "routing was not compared; start the server with --enable-return-routed-experts");

    /// <summary>Short lists.</summary>
    public static OddityKind FewerTop { get; } = Gap(
        "fewer-top", "fewer of the most likely tokens than asked for (a cap such as --max-logprobs, or equal texts)");

    /// <summary>Tokens are named by text.</summary>
    public static OddityKind TextKeys { get; } = Gap(
        "text-keys", "tokens are named by text, which no tokenizer here resolves; not compared by id");

    /// <summary>Two tokens of one text.</summary>
    public static OddityKind TextKeysCollide { get; } = Gap(
        "text-keys-collide", "two tokens have this text, and nobody can know which is meant; not compared");

    /// <summary>Ids are not read back.</summary>
    public static OddityKind IdsNotTold { get; } = Gap(
        "ids-not-told", "the server does not say which ids it read; their number was all that could be checked");

    /// <summary>Not enough generated.</summary>
    public static OddityKind EndedEarly { get; } = Gap(
        "ended-early", "the server generated fewer tokens than asked for, although told to ignore the end");

    /// <summary>The list begins with the second token.</summary>
    public static OddityKind FirstMissing { get; } = Note(
        "first-token-missing",
        "the list begins with the second token; aligned by ids, a client that counts is off by one");

    /// <summary>The first token has a number.</summary>
    public static OddityKind FirstScored { get; } = Note(
        "first-token-scored", "nothing predicts the first token; its number was ignored");

    /// <summary>Numbers after temperature.</summary>
    public static OddityKind Processed { get; } = Note(
        "processed-log-probabilities",
        "at temperature 0 the numbers are those after sampling (--logprobs-mode processed_*); compared at 1 only");

    /// <summary>A wait.</summary>
    public static OddityKind Retried { get; } = Note("retried", "the server was busy and answered later");

    /// <summary>A field less.</summary>
    public static OddityKind FieldRefused { get; } = Note(
        "field-refused", "asked again without what the server does not take");

    /// <summary>Nobody tells the tokenisation.</summary>
    public static OddityKind NoTokenisation { get; } = Note(
        "no-tokenisation", "the server has no endpoint that tells its tokens; ids were sent");

    private static OddityKind Add(OddityKind kind)
    {
        Known.Add(kind);
        return kind;
    }

    private static OddityKind Away(string name, string consequence) =>
        Add(new(name, OddityWeight.End, ExitCodes.Environment, consequence));

    private static OddityKind Bad(string name, string consequence) =>
        Add(new(name, OddityWeight.End, ExitCodes.BadInput, consequence));

    private static OddityKind Fault(string name, string consequence) =>
        Add(new(name, OddityWeight.Fault, ExitCodes.OverBudget, consequence));

    private static OddityKind Gap(string name, string consequence) =>
        Add(new(name, OddityWeight.Gap, ExitCodes.WithinBudget, consequence));

    private static OddityKind Note(string name, string consequence) =>
        Add(new(name, OddityWeight.Note, ExitCodes.WithinBudget, consequence));
}
