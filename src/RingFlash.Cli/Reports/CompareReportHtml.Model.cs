using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <content>What a model has and a tensor has not: routers and a distribution of the next token.</content>
internal sealed partial class CompareReportHtml
{
    private void AddRouters()
    {
        if (report.Routers.Count == 0)
        {
            return;
        }

        page.Heading("Routers");
        page.Picture(pictures.Routers());
        page.Picture(pictures.Margins());
        page.Paragraph(
            "Each router on the candidate's own input. A near tie is another set of experts by less than the noise of "
            + "the scores: no error. A wrong choice has a comfortable margin. Weights are compared for the candidate's "
            + "own experts.");
        page.Table(
            [
                "#layer", "#tokens", "#same set", "#same order", "#same groups", "#near ties", "#wrong",
                "#smallest margin", "#score noise", "#weight error", "verdict", "first wrong token",
            ],
            report.Routers.Select(router => (IReadOnlyList<string>)
            [
                Text($"{router.Layer}"),
                Text($"{router.Tokens}"),
                Text($"{router.SameExperts}"),
                Text($"{router.SameOrder}"),
                Text($"{router.SameGroups}"),
                Text($"{router.NearTies}"),
                Text($"{router.Wrong}"),
                NumberText.Error(router.SmallestMargin),
                NumberText.Error(router.ScoreNoise),
                PageText.Error(router.LargestWeightError),
                PageText.Word(router.Verdict),
                PageText.Line(router.Note),
            ]));
        page.Files("How experts are chosen:", OperatorPage.FileOf("GroupLimitedTopK"));
    }

    private void AddLogits()
    {
        if (report.Logits is not { } logits)
        {
            return;
        }

        page.Heading("Logits");
        page.Paragraph(Text($"Against the reference's own run, {logits.Positions} positions, whole vocabulary, nats."));
        page.Table(
            ["", "#candidate", "#noise alone"],
            [
                [
                    "mean KL(reference ‖ candidate)",
                    NumberText.Error(logits.ReferenceToCandidate),
                    NumberText.Error(logits.NoiseReferenceToCandidate),
                ],
                ["mean KL(candidate ‖ reference)", NumberText.Error(logits.CandidateToReference), "–"],
                ["same best token", Share(logits.SameBest), Share(logits.NoiseSameBest)],
                ["best five in common", Share(logits.BestFiveAgreement), "–"],
                ["worst rank of the reference's best token", Text($"{logits.WorstRank}"), "–"],
                ["mean negative log-likelihood − reference's", PageText.Error(logits.LikelihoodDifference), "–"],
            ]);
        page.SubHeading("Worst positions");
        page.Table(
            [
                "#token", "id", "#KL(reference ‖ candidate)", "reference's best", "candidate's best",
                "#rank of reference's best",
            ],
            logits.Worst.Select(position => (IReadOnlyList<string>)
            [
                Text($"{position.Token}"),
                Token(position.Id),
                NumberText.Error(position.ReferenceToCandidate),
                Token(position.ReferenceBest),
                Token(position.CandidateBest),
                Text($"{position.Rank}"),
            ]));
    }

    private string Token(long id) => PageText.Name(TokenLabel.Of(id, tokenizer));

    private static string Share(double value) => Text($"{100 * value:0.##} %");
}
