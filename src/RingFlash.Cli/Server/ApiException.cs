using System;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Server;

/// <summary>An answer that is an error: <c>{"error":{"message","type","param","code"}}</c>.</summary>
/// <param name="status">The HTTP status, which is the code as well.</param>
/// <param name="type">vLLM's word for it.</param>
/// <param name="message">What is wrong, on one line.</param>
/// <param name="field">The field that is to blame; null where none is.</param>
internal sealed class ApiException(int status, string type, string message, string? field = null) : Exception(message)
{
    /// <summary>The HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>The field that is to blame; null where none is.</summary>
    public string? Field { get; } = field;

    /// <summary>A request that breaks a rule.</summary>
    /// <param name="message">The rule.</param>
    /// <param name="field">The field.</param>
    /// <returns>The error.</returns>
    public static ApiException BadRequest(string message, string? field = null) =>
        new(StatusCodes.Status400BadRequest, "BadRequestError", message, field);

    /// <summary>There is no such thing.</summary>
    /// <param name="message">What was asked for.</param>
    /// <param name="field">The field that asked.</param>
    /// <returns>The error.</returns>
    public static ApiException NotFound(string message, string? field = null) =>
        new(StatusCodes.Status404NotFound, "NotFoundError", message, field);

    /// <summary>The model failed, or we did.</summary>
    /// <param name="message">How.</param>
    /// <returns>The error.</returns>
    public static ApiException OurFault(string message) =>
        new(StatusCodes.Status500InternalServerError, "InternalServerError", message);

    /// <summary>The server is about to end.</summary>
    /// <returns>The error.</returns>
    public static ApiException Stopping() =>
        new(StatusCodes.Status503ServiceUnavailable, "ServiceUnavailableError", "the server is stopping");

    /// <summary>What a broken rule of the request becomes.</summary>
    /// <param name="exception">The place is the field; a JSON path, or a line where there is no JSON yet.</param>
    /// <returns>The error.</returns>
    public static ApiException Of(InvalidInputException exception)
    {
        string place = exception.Place;
        string field = place.StartsWith("$.", StringComparison.Ordinal) ? place[2..] : place;
        bool isField = field.Length > 0 && field != "$" && !field.StartsWith("line ", StringComparison.Ordinal);
        field = InvalidInputException.Escape(field);
        return BadRequest(
            field.Length == 0 ? exception.Rule : $"{field}: {exception.Rule}", isField ? field : null);
    }

    /// <summary>Writes the object.</summary>
    /// <param name="json">Where to.</param>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteStartObject("error");
        json.WriteString("message", Message);
        json.WriteString("type", type);
        json.WriteString("param", Field);
        json.WriteNumber("code", Status);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
