using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.ServerCheck;

/// <summary>An answer over HTTP.</summary>
/// <param name="Status">The status.</param>
/// <param name="Body">The body, unpacked.</param>
internal sealed record ServerReply(int Status, byte[] Body);

/// <summary>
/// Talks to a server that is not trusted: a time-out, a cap on what is read, no other origin, no cookies, and only what
/// is busy is asked again.
/// </summary>
internal sealed class ServerConnection : IDisposable
{
    /// <summary>The most bytes of an answer, unpacked.</summary>
    public const int LongestBody = 64 << 20;

    private const int MostRetries = 3;
    private const int MostRedirects = 3;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private readonly Uri address;
    private readonly HttpClient client;
    private readonly TimeSpan timeout;
    private readonly OddityList oddities;

    /// <summary>Opens nothing yet.</summary>
    /// <param name="address">The server, with a slash at the end.</param>
    /// <param name="key">What is sent as <c>Authorization: Bearer</c>; null for none.</param>
    /// <param name="timeout">Until an answer must be complete.</param>
    /// <param name="oddities">Takes notes.</param>
    public ServerConnection(Uri address, string? key, TimeSpan timeout, OddityList oddities)
    {
        this.address = address;
        this.timeout = timeout;
        this.oddities = oddities;
        client = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.All,
            ConnectTimeout = TimeSpan.FromSeconds(15),
            UseCookies = false,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan, // it would not hold for the body
        };
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("ringflash", null));
        if (key is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
    }

    /// <summary>Requests sent so far.</summary>
    public int Requests { get; private set; }

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();

    /// <summary>Reads a place that may not exist.</summary>
    /// <param name="path">The place.</param>
    /// <param name="cancellation">Stops.</param>
    /// <returns>Its JSON; null where there is none.</returns>
    /// <exception cref="ServerFaultException">The server is away, busy or wants a key.</exception>
    public async Task<JsonElement?> Find(string path, CancellationToken cancellation)
    {
        ServerReply reply = await Send(HttpMethod.Get, path, null, cancellation).ConfigureAwait(false);
        RefuseKey(reply, Name(HttpMethod.Get, path));
        return reply.Status == 200 ? Parse(reply.Body, Name(HttpMethod.Get, path), oddities) : null;
    }

    /// <summary>Posts to a place, whatever the answer.</summary>
    /// <param name="path">The place.</param>
    /// <param name="body">JSON.</param>
    /// <param name="cancellation">Stops.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="ServerFaultException">There is no answer that can be read.</exception>
    public Task<ServerReply> Post(string path, byte[] body, CancellationToken cancellation) =>
        Send(HttpMethod.Post, path, body, cancellation);

    /// <summary>The JSON of an answer that must be a good one.</summary>
    /// <param name="path">The place.</param>
    /// <param name="reply">The answer.</param>
    /// <returns>The JSON.</returns>
    /// <exception cref="ServerFaultException">It is none.</exception>
    public JsonElement Require(string path, ServerReply reply)
    {
        string name = Name(HttpMethod.Post, path);
        RefuseKey(reply, name);
        return reply.Status switch
        {
            200 => Parse(reply.Body, name, oddities),
            404 => throw new ServerFaultException(OddityKind.NotFound, name, $"404 {Message(reply)}"),
            >= 500 => throw new ServerFaultException(OddityKind.ServerError, name, $"{reply.Status} {Message(reply)}"),
            _ => throw new ServerFaultException(OddityKind.Refused, name, $"{reply.Status} {Message(reply)}"),
        };
    }

    /// <summary>What a server says about an error: the message of its JSON, or how its text begins.</summary>
    /// <param name="reply">The answer.</param>
    /// <returns>One short line.</returns>
    public static string Message(ServerReply reply)
    {
        string text = Encoding.UTF8.GetString(reply.Body.AsSpan(0, Math.Min(reply.Body.Length, 2000)));
        try
        {
            using JsonDocument json = StrictJson.Parse(reply.Body, "answer");
            text = Texts(json.RootElement).FirstOrDefault() ?? text;
        }
        catch (InvalidInputException)
        {
            // Not every error is JSON.
        }

        return InvalidInputException.Escape(text.Length > 200 ? text[..200] + "…" : text);
    }

    /// <summary>Reads JSON that may hold NaN and infinities, which Python writes.</summary>
    /// <param name="body">UTF-8.</param>
    /// <param name="name">What to call it.</param>
    /// <param name="oddities">Takes notes.</param>
    /// <returns>The value; NaN and infinities are strings in it.</returns>
    /// <exception cref="ServerFaultException">It is no JSON.</exception>
    public static JsonElement Parse(byte[] body, string name, OddityList oddities)
    {
        ReadOnlySpan<byte> start = body.AsSpan().TrimStart(" \t\r\n"u8);
        if (start.StartsWith("<"u8))
        {
            throw new ServerFaultException(OddityKind.Html, name, "200 with markup where JSON was due");
        }

        body = PythonNumbers.ToStrings(body);
        if (PythonNumbers.IsIncomplete(body))
        {
            throw new ServerFaultException(OddityKind.Truncated, name, $"the JSON ends after {body.Length} bytes");
        }

        try
        {
            using JsonDocument document = StrictJson.Parse(body, name);
            return document.RootElement.Clone();
        }
        catch (InvalidInputException exception)
        {
            bool twice = exception.Rule.StartsWith("duplicate key", StringComparison.Ordinal);
            throw new ServerFaultException(
                twice ? OddityKind.DuplicateKey : OddityKind.NotJson,
                name,
                $"{exception.Place}: {exception.Rule}",
                exception);
        }
    }

    private static IEnumerable<string> Texts(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => new[] { "message", "error", "detail", "msg" }
            .SelectMany(name => element.TryGetProperty(name, out JsonElement value) ? Texts(value) : []),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Texts),
        JsonValueKind.String => [element.GetString()!],
        _ => [],
    };

    private static string Name(HttpMethod method, string path) => $"{method} /{path}";

    private static void RefuseKey(ServerReply reply, string name)
    {
        if (reply.Status is 401 or 403)
        {
            throw new ServerFaultException(OddityKind.Unauthorised, name, $"{reply.Status} {Message(reply)}");
        }
    }

    private async Task<ServerReply> Send(
        HttpMethod method, string path, byte[]? body, CancellationToken cancellation)
    {
        Uri place = new(address, path);
        string name = Name(method, path);
        int retries = 0, redirects = 0;
        while (true)
        {
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(timeout);
            try
            {
                using HttpResponseMessage response = await SendOnce(method, place, body, limit.Token)
                    .ConfigureAwait(false);
                int status = (int)response.StatusCode;
                if (status is 429 or 503)
                {
                    if (retries++ == MostRetries)
                    {
                        throw new ServerFaultException(
                            OddityKind.Busy, name, $"{status}, and {MostRetries} times more");
                    }

                    oddities.Add(OddityKind.Retried, name, $"{status}");
                    TimeSpan wait = Wait(response, retries);
                    limit.CancelAfter(Timeout.InfiniteTimeSpan);
                    await Task.Delay(wait, cancellation).ConfigureAwait(false);
                    continue;
                }

                if (status is >= 300 and < 400)
                {
                    place = Follow(place, response, name, redirects++);
                    continue;
                }

                byte[] read = await ReadBody(response, name, limit.Token).ConfigureAwait(false);
                if (status == 200 && response.Content.Headers.ContentType?.MediaType == "text/html")
                {
                    throw new ServerFaultException(OddityKind.Html, name, "200 with Content-Type text/html");
                }

                return new ServerReply(status, read);
            }
            catch (OperationCanceledException exception) when (!cancellation.IsCancellationRequested)
            {
                throw new ServerFaultException(
                    OddityKind.TimedOut, name, $"no whole answer after {timeout.TotalSeconds:0} s", exception);
            }
            catch (Exception exception)
                when (exception is HttpRequestException or IOException or InvalidDataException)
            {
                throw Fault(exception, name);
            }
        }
    }

    private Task<HttpResponseMessage> SendOnce(
        HttpMethod method, Uri place, byte[]? body, CancellationToken cancellation)
    {
        HttpRequestMessage request = new(method, place);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        Requests++;
        return client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
    }

    private static TimeSpan Wait(HttpResponseMessage response, int retry)
    {
        TimeSpan usual = TimeSpan.FromSeconds(1 << (retry - 1));
        RetryConditionHeaderValue? told = response.Headers.RetryAfter;
        TimeSpan wait = told?.Delta ?? (told?.Date is DateTimeOffset date ? date - DateTimeOffset.UtcNow : usual);
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait > LongestWait ? LongestWait : wait;
    }

    // Within one origin a redirect is a slash more or less; the method stays, as 307 and 308 have it.
    private static Uri Follow(Uri place, HttpResponseMessage response, string name, int before)
    {
        if (response.Headers.Location is not Uri location || before == MostRedirects)
        {
            throw new ServerFaultException(OddityKind.Redirect, name, $"{(int)response.StatusCode} to nowhere");
        }

        Uri target = new(place, location);
        return target.GetLeftPart(UriPartial.Authority) == place.GetLeftPart(UriPartial.Authority)
            ? target
            : throw new ServerFaultException(
                OddityKind.Redirect,
                name,
                $"{(int)response.StatusCode} to {target.GetLeftPart(UriPartial.Authority)}");
    }

    private static async Task<byte[]> ReadBody(
        HttpResponseMessage response, string name, CancellationToken cancellation)
    {
        using Stream stream = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        using MemoryStream body = new();
        byte[] buffer = new byte[1 << 16];
        while (true)
        {
            int count = await stream.ReadAsync(buffer, cancellation).ConfigureAwait(false);
            if (count == 0)
            {
                return body.ToArray();
            }

            if (body.Length + count > LongestBody)
            {
                throw new ServerFaultException(
                    OddityKind.TooLarge, name, $"more than {LongestBody >> 20} MiB, unpacked");
            }

            body.Write(buffer, 0, count);
        }
    }

    private static ServerFaultException Fault(Exception exception, string name)
    {
        HttpRequestError error = exception switch
        {
            HttpRequestException request => request.HttpRequestError,
            HttpIOException reading => reading.HttpRequestError,
            _ => HttpRequestError.ResponseEnded,
        };
        OddityKind kind = error switch
        {
            HttpRequestError.SecureConnectionError => OddityKind.Tls,
            HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
                or HttpRequestError.ProxyTunnelError => OddityKind.Unreachable,
            HttpRequestError.InvalidResponse or HttpRequestError.HttpProtocolError
                or HttpRequestError.ConfigurationLimitExceeded => OddityKind.NotJson,
            _ => OddityKind.Truncated, // the connection was there
        };
        string detail = exception.InnerException is Exception inner and not IOException
            ? $"{exception.Message} {inner.Message}"
            : exception.Message;
        return new ServerFaultException(kind, name, detail, exception);
    }
}
