namespace RingFlash.Reference.Verification;

/// <summary>Where the reference's code for an operator can be read.</summary>
public static class OperatorPage
{
    /// <summary>Finds the page.</summary>
    /// <param name="operatorName">The operator as reports name it; empty where a value is passed on as it is.</param>
    /// <returns>The file, from the repository's root on.</returns>
    public static string FileOf(string operatorName) => operatorName switch
    {
        "" => "src/RingFlash.Reference/Model/RingFlashModel.cs",
        "RotaryTable" => "src/RingFlash.Reference/Operators/RotaryEmbedding/RotaryTable.cs",
        "RouterLogits" => "src/RingFlash.Reference/Operators/LinearProjection/LinearProjection.cs",
        "Float8BlockMatrix" => "src/RingFlash.Reference/Checkpoint/WeightMatrix.cs",
        "Float8E4M3" => "src/RingFlash.Reference/Numerics/Float8E4M3.cs",
        "Concatenate" => "src/RingFlash.Reference/Model/ForwardOperators.cs",
        "KeyValueCache" => "src/RingFlash.Reference/Model/KeyValueCache.cs",
        _ => $"src/RingFlash.Reference/Operators/{operatorName}/{operatorName}.cs",
    };
}
