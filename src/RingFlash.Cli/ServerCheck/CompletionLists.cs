using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Cli.ServerCheck;

/// <summary>
/// The four lists of OpenAI's completions: <c>tokens</c>, <c>token_logprobs</c>, <c>top_logprobs</c> and
/// <c>text_offset</c>, which is not looked at (SGLang sets it to −1).
/// </summary>
internal static class CompletionLists
{
    /// <summary>Reads the lists.</summary>
    /// <param name="lists">The object.</param>
    /// <param name="ids">[tokens], where they are told elsewhere; null for the names alone.</param>
    /// <param name="reading">What is needed to understand them.</param>
    /// <param name="firstIsNull">Whether the first token begins the sequence, so that nothing predicts it.</param>
    /// <returns>[tokens]; null only for the first.</returns>
    public static ServedPlace[] Read(
        AnswerFields lists, IReadOnlyList<int>? ids, AnswerReading reading, bool firstIsNull = false)
    {
        IReadOnlyList<AnswerFields> names = lists.Need("tokens").Items();
        AnswerFields numberList = lists.Need("token_logprobs");
        IReadOnlyList<AnswerFields> numbers = numberList.Items();
        IReadOnlyList<AnswerFields>? tops = lists.Find("top_logprobs")?.Items();
        if (numbers.Count != names.Count || (tops is not null && tops.Count != names.Count)
            || (ids is not null && ids.Count != names.Count))
        {
            throw lists.Refuse(
                $"has {names.Count} tokens, {numbers.Count} token_logprobs, {tops?.Count ?? 0} top_logprobs and "
                + $"{ids?.Count ?? names.Count} token_ids");
        }

        ServedPlace[] places = new ServedPlace[names.Count];
        for (int token = 0; token < names.Count; token++)
        {
            int? id = ids?[token] ?? reading.Names.Find(names[token].Text(), names[token].Path, reading.Oddities);
            if (token == 0 && firstIsNull)
            {
                if (!numbers[0].IsNull)
                {
                    reading.Oddities.Add(OddityKind.FirstScored, numbers[0].Path);
                }

                places[0] = new ServedPlace(new ServedToken(id, null, null), []);
                continue;
            }

            ServedToken own = new(id, numbers[token].LogProbability(reading.Oddities), null);
            ServedToken[] entries = tops is null || tops[token].IsNull
                ? []
                : [.. tops[token].Members().Select(member => new ServedToken(
                    reading.Names.Find(member.Name, member.Value.Path, reading.Oddities),
                    member.Value.LogProbability(reading.Oddities),
                    null))];
            places[token] = reading.Place(id, own, entries, tops is null ? lists.Path : tops[token].Path);
        }

        return places;
    }
}
