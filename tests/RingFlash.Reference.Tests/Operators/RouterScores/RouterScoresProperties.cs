// Red here: a router score is further from the truth than its page promises.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 40)]
public sealed class RouterScoresProperties
{
    [Property]
    public void ErrorsAreWithinOneUlp(int seed, byte length)
    {
        float[] logits = TestValues.Spread(length, seed, binades: 7), scores = new float[length];
        double[] exact = new double[length];
        RouterScores.Apply(ExecutionEngine.Vector512, logits, scores);
        RouterScores.Exact(TestValues.Wide(logits), exact);
        Check.Within(
            scores,
            exact,
            i => (2 * Check.FloatUnit * exact[i]) + Check.FloatTiny, // 1 ulp, or one step of the subnormals
            $"length {length}, seed {seed}");
    }

    [Property]
    public void OppositeLogitsAddUpToOne(int seed)
    {
        float[] logits = TestValues.Spread(32, seed), scores = new float[32], opposite = new float[32];
        RouterScores.Apply(ExecutionEngine.Vector512, logits, scores);
        RouterScores.Apply(ExecutionEngine.Vector512, Array.ConvertAll(logits, value => -value), opposite);
        for (int i = 0; i < scores.Length; i++)
        {
            // 2·u of each score, and the two scores add up to 1.
            Check.Within(
                [(float)((double)scores[i] + opposite[i])], [1.0], _ => 3 * Check.FloatUnit, $"logit {logits[i]}");
        }
    }
}
