using System;
using System.Linq;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RingFlash.Reference.Numerics;
using BadHttpRequestException = Microsoft.AspNetCore.Http.BadHttpRequestException;

namespace RingFlash.Cli.Server;

/// <summary>
/// OpenAI's HTTP interface with vLLM's additions over one engine. README.md of this folder lists every field.
/// </summary>
/// <remarks>
/// What a client sends is hostile until checked, and its faults are told with the field's name. The server reads no
/// configuration files and no environment, sends no CORS headers, and opens no file that a request names.
/// </remarks>
internal sealed class ApiServer : IAsyncDisposable
{
    private const int MostConnections = 1000;

    private readonly WebApplication application;
    private readonly ServedModel model;
    private readonly ServerSettings settings;
    private readonly Action<Exception> log;
    private readonly byte[]? keyHash;
    private readonly long started = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private ApiServer(ServedModel model, ServerSettings settings, Action<Exception> log)
    {
        this.model = model;
        this.settings = settings;
        this.log = log;
        keyHash = settings.ApiKey is null ? null : Hash(settings.ApiKey);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { EnvironmentName = Environments.Production });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(Configure);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        application = builder.Build();
        application.Use(Guard);
        Map();
    }

    /// <summary>Where the server listens.</summary>
    public Uri Address => new(application.Urls.First());

    /// <summary>Starts to listen.</summary>
    /// <param name="model">Who answers; it stays its owner's.</param>
    /// <param name="settings">Where, and within which limits.</param>
    /// <param name="log">Takes errors that are our fault.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>The server.</returns>
    /// <exception cref="UsageException">It would be open to others without a key.</exception>
    /// <exception cref="System.IO.IOException">The address is not to be had.</exception>
    public static async Task<ApiServer> Start(
        ServedModel model, ServerSettings settings, Action<Exception> log, CancellationToken cancellation = default)
    {
        CheckOpenness(settings);
        ApiServer server = new(model, settings, log);
        try
        {
            await server.application.StartAsync(cancellation).ConfigureAwait(false);
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Refuses to be open to others without a key.</summary>
    /// <param name="settings">Address and key.</param>
    /// <exception cref="UsageException">There is no key, and the address is not loopback.</exception>
    public static void CheckOpenness(ServerSettings settings)
    {
        if (settings.ApiKey is null && !IPAddress.IsLoopback(settings.Address))
        {
            throw new UsageException(
                $"--host {settings.Address} can be reached by others; give --api-key, or RINGFLASH_API_KEY");
        }
    }

    /// <summary>Takes no more requests and waits for the answers under way.</summary>
    /// <param name="most">How long; then they are broken off.</param>
    /// <returns>The wait.</returns>
    public async Task Stop(TimeSpan most)
    {
        using CancellationTokenSource limit = new(most);
        await application.StopAsync(limit.Token).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => application.DisposeAsync();

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    private void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = MostConnections;
        kestrel.Limits.MaxRequestBodySize = settings.LongestBody;
        kestrel.Limits.RequestHeadersTimeout = settings.HeaderTime;
        kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, settings.SlowBodyTime);
        kestrel.Listen(settings.Address, settings.Port, endpoint => endpoint.Protocols = HttpProtocols.Http1);
    }

    private void Map()
    {
        GenerationEndpoint generation = new(model, settings, log);
        TokenizerEndpoints tokenizer = new(model, settings);
        application.MapPost("/v1/completions", async (HttpContext http) =>
        {
            using JsonDocument body = await RequestBody.Read(http).ConfigureAwait(false);
            GenerationCall call = CompletionReader.Read(body.RootElement, model, settings);
            await generation.Answer(
                http, call, new CompletionJson(call, model, settings.ModelName), splitReasoning: false)
                .ConfigureAwait(false);
        });
        application.MapPost("/v1/chat/completions", async (HttpContext http) =>
        {
            using JsonDocument body = await RequestBody.Read(http).ConfigureAwait(false);
            GenerationCall call = ChatReader.Read(body.RootElement, model, settings);
            await generation.Answer(
                http, call, new ChatJson(call, model, settings.ModelName), settings.SplitReasoning)
                .ConfigureAwait(false);
        });
        application.MapPost("/tokenize", (RequestDelegate)tokenizer.Tokenize);
        application.MapPost("/detokenize", (RequestDelegate)tokenizer.Detokenize);
        application.MapGet("/health", (RequestDelegate)Health);
        application.MapGet("/v1/models", (RequestDelegate)Models);
        application.MapGet("/v1/models/{**name}", (RequestDelegate)OneModel);
    }

    private async Task Guard(HttpContext http, RequestDelegate next)
    {
        ApiException error;
        try
        {
            CheckHost(http.Request);
            CheckKey(http.Request);
            await next(http).ConfigureAwait(false);
            error = http.Response.StatusCode switch
            {
                StatusCodes.Status404NotFound => ApiException.NotFound($"there is no {http.Request.Path}"),
                StatusCodes.Status405MethodNotAllowed => new ApiException(
                    StatusCodes.Status405MethodNotAllowed,
                    "MethodNotAllowedError",
                    $"{http.Request.Path} takes {http.Response.Headers.Allow}"),
                _ => null!,
            };
            if (error is null || http.Response.HasStarted)
            {
                return;
            }
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            return; // the client has left
        }
        catch (ApiException exception)
        {
            error = exception;
        }
        catch (InvalidInputException exception)
        {
            error = ApiException.Of(exception);
        }
        catch (BadHttpRequestException exception)
        {
            // Kestrel's limits: the rest of the body is not wanted.
            http.Response.Headers.Connection = "close";
            error = new ApiException(exception.StatusCode, "BadRequestError", exception.Message);
        }
        catch (Exception exception)
        {
            log(exception);
            error = ApiException.OurFault($"internal error: {exception.GetType().Name}");
        }

        if (http.Response.HasStarted)
        {
            http.Abort(); // half an answer must not look like a whole one
            return;
        }

        await ResponseJson.Send(http.Response, error.Status, error.Write, http.RequestAborted).ConfigureAwait(false);
    }

    // A page that a browser has loaded from elsewhere reaches loopback under its own name (DNS rebinding).
    private void CheckHost(HttpRequest request)
    {
        string host = request.Host.Host;
        if (settings.ApiKey is null && host.Length > 0 && host != "localhost"
            && !(IPAddress.TryParse(host, out IPAddress? address) && IPAddress.IsLoopback(address)))
        {
            throw new ApiException(
                StatusCodes.Status403Forbidden,
                "ForbiddenError",
                "without an API key the server answers to localhost alone, not to this Host header");
        }
    }

    private void CheckKey(HttpRequest request)
    {
        const string Scheme = "Bearer ";
        if (keyHash is null || request.Path == "/health")
        {
            return;
        }

        string sent = request.Headers.Authorization.ToString();
        bool good = sent.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            && CryptographicOperations.FixedTimeEquals(Hash(sent[Scheme.Length..].Trim()), keyHash);
        if (!good)
        {
            request.HttpContext.Response.Headers.WWWAuthenticate = "Bearer";
            throw new ApiException(
                StatusCodes.Status401Unauthorized,
                "AuthenticationError",
                "this server needs its API key as Authorization: Bearer KEY");
        }
    }

    private Task Health(HttpContext http)
    {
        (int running, int waiting) = model.Engine.Load;
        return ResponseJson.Send(
            http.Response,
            StatusCodes.Status200OK,
            json =>
            {
                json.WriteStartObject();
                json.WriteString("status", "ok");
                json.WriteNumber("running", running);
                json.WriteNumber("waiting", waiting);
                json.WriteEndObject();
            },
            http.RequestAborted);
    }

    private Task Models(HttpContext http) => ResponseJson.Send(
        http.Response,
        StatusCodes.Status200OK,
        json =>
        {
            json.WriteStartObject();
            json.WriteString("object", "list");
            json.WriteStartArray("data");
            WriteModel(json);
            json.WriteEndArray();
            json.WriteEndObject();
        },
        http.RequestAborted);

    private Task OneModel(HttpContext http)
    {
        string name = (string)http.Request.RouteValues["name"]!;
        return name == settings.ModelName
            ? ResponseJson.Send(http.Response, StatusCodes.Status200OK, WriteModel, http.RequestAborted)
            : throw ModelField.Unknown(name, settings);
    }

    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id", settings.ModelName);
        json.WriteString("object", "model");
        json.WriteNumber("created", started);
        json.WriteString("owned_by", "ringflash");
        json.WriteString("root", settings.ModelName);
        json.WriteNull("parent");
        json.WriteNumber("max_model_len", model.Engine.ContextLimit);
        json.WriteString("chat_format", model.ChatFormat?.Name);
        json.WriteEndObject();
    }

    // Signals are the tool's matter, see Interruption.
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
