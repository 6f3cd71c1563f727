using System;

namespace RingFlash.Reference.Objective.Theory;

// What is read off at a step; nothing here changes the run.
public sealed partial class RoutingNoiseSimulation
{
    private RoutingNoisePoint Measure(int step)
    {
        double gap = 0, divergence = 0, masked = 0, entropy = 0, maskedEntropy = 0, reward = 0, largest = 0;
        for (int context = 0; context < Contexts; context++)
        {
            ReadOnlySpan<double> train = logTrain.AsSpan(context * Tokens, Tokens);
            ReadOnlySpan<double> infer = logInfer.AsSpan(context * Tokens, Tokens);
            double entropyHere = 0, maskedHere = 0;
            for (int token = 0; token < Tokens; token++)
            {
                double probability = Math.Exp(infer[token]);
                double logRatio = train[token] - infer[token];
                gap += probability * Math.Abs(logRatio);
                divergence -= probability * logRatio;
                maskedHere += engineWeights.InBand(Math.Exp(logRatio)) ? 0 : probability;
                entropyHere -= probability * infer[token];
            }

            entropy += entropyHere;
            masked += maskedHere;
            maskedEntropy += maskedHere * entropyHere;
            reward += Math.Exp(train[target[context]]);
            for (int response = 0; response < Group; response++)
            {
                int token = sampled[(context * Group) + response];
                largest = Math.Max(largest, Math.Abs(train[token] - infer[token]));
            }
        }

        return new(
            step,
            gap / Contexts,
            largest,
            divergence / Contexts,
            masked / Contexts,
            entropy / Contexts,
            masked == 0 ? double.NaN : maskedEntropy / masked,
            reward / Contexts);
    }

    private double[] MeasureGapByPosition()
    {
        double[] gaps = new double[Positions];
        for (int index = 0; index < logTrain.Length; index++)
        {
            int position = index / Tokens % Positions;
            gaps[position] += Math.Exp(logInfer[index]) * Math.Abs(logTrain[index] - logInfer[index]) / Prompts;
        }

        return gaps;
    }
}
