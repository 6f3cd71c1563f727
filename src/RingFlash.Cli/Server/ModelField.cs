namespace RingFlash.Cli.Server;

/// <summary>The field <c>model</c>: absent, or the name of the one model that is served.</summary>
internal static class ModelField
{
    /// <summary>Checks the field.</summary>
    /// <param name="fields">The request.</param>
    /// <param name="settings">The model's name.</param>
    /// <exception cref="ApiException">There is no such model here.</exception>
    public static void Check(RequestFields fields, ServerSettings settings)
    {
        if (fields.Text("model") is string name && name != settings.ModelName)
        {
            throw Unknown(name, settings);
        }
    }

    /// <summary>The error for a model that is not here.</summary>
    /// <param name="name">What was asked for.</param>
    /// <param name="settings">The model's name.</param>
    /// <returns>The error.</returns>
    public static ApiException Unknown(string name, ServerSettings settings) =>
        ApiException.NotFound($"the model '{name}' does not exist; this server has '{settings.ModelName}'", "model");
}
