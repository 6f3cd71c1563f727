// Started by the tests of ExternalLoss: a user's loss in a process of its own, written without this library. It reads
// cases and writes answers, one line of JSON each. The first word says what is wrong with it; "right" is right.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;

namespace RingFlash.LossProgram;

internal static class Program
{
    private static int Main(string[] words)
    {
        string how = words.FirstOrDefault() ?? "right";
        int after = words.Length > 1 ? int.Parse(words[1], CultureInfo.InvariantCulture) : 0, answered = 0;
        if (how == "chatty")
        {
            Console.Error.WriteLine("loading\tthe model");
        }

        while (Console.ReadLine() is { } line)
        {
            if (answered++ < after)
            {
                Console.WriteLine(Answer(line, string.Empty));
                continue;
            }

            switch (how)
            {
                case "dies":
                    Console.Error.WriteLine("Traceback: out of luck");
                    return 7;
                case "sleeps":
                    Thread.Sleep(Timeout.Infinite);
                    break;
                case "closes":
                    return 0;
                case "twice":
                    Console.Write($"{Answer(line, how)}\n{Answer(line, how)}\n");
                    break;
                case "text":
                    Console.WriteLine("loss = 0.5");
                    break;
                case "bare":
                    Console.WriteLine("{\"loss\": {\"token_mean\": NaN}, \"grad\": {}}");
                    break;
                case "refuses":
                    Console.WriteLine("{\"error\": \"ZeroDivisionError: division by zero\"}");
                    break;
                case "endless":
                    while (true)
                    {
                        Console.Write(new string('[', 1 << 16));
                    }

                default:
                    Console.WriteLine(Answer(line, how));
                    break;
            }
        }

        return 0;
    }

    private static string Answer(string line, string how)
    {
        JsonNode root = JsonNode.Parse(line)!, config = root["config"]!, inputs = root["inputs"]!;
        int rows = root["shape"]![0]!.GetValue<int>(), columns = root["shape"]![1]!.GetValue<int>();
        double low = Math.Log(Number(config["alpha"]!)), high = Math.Log(Number(config["beta"]!));
        double lowest = 1 - Number(config["eps_low"]!), highest = 1 + Number(config["eps_high"]!);
        double At(string name, int row, int column) => Number(inputs[name]![row]![column]!);
        double tokens = 0;
        double[][] gradient = [.. Enumerable.Range(0, rows).Select(_ => new double[columns])];
        for (int row = 0; row < rows; row++)
        {
            for (int t = 0; t < columns; t++)
            {
                tokens += At("mask", row, t);
            }
        }

        // 1 / max(N, 1) first: a coefficient is what the properties multiply with, too.
        double coefficient = 1 / Math.Max(tokens, 1);
        List<double> terms = [];
        for (int row = 0; row < rows; row++)
        {
            double advantage = Number(inputs["advantages"]![row]!);
            for (int t = 0; t < columns; t++)
            {
                double difference = At("logp_old", row, t) - At("logp_infer", row, t);
                bool kept = At("mask", row, t) != 0 && double.IsFinite(difference) && difference >= low
                    && difference <= high && !double.IsInfinity(Math.Exp(difference)) && advantage != 0;
                if (!kept)
                {
                    continue;
                }

                double ratio = Math.Exp(At("logp_theta", row, t) - At("logp_old", row, t));
                bool clipped = (advantage > 0 && ratio > highest) || (advantage < 0 && ratio < lowest);
                double weight = how == "binary" ? 1 : Math.Exp(difference);
                double used = clipped ? advantage > 0 ? highest : lowest : ratio;
                terms.Add(-weight * used * advantage);
                gradient[row][t] = clipped ? 0 : -weight * ratio * advantage * coefficient;
            }
        }

        // By size and with the signs apart, so that neither order nor a change of sign is seen in the last bit.
        double loss = Sum(terms.Where(term => !(term < 0))) - Sum(terms.Where(term => term < 0).Select(term => -term));
        JsonObject answer = new()
        {
            ["case"] = how == "othername" ? "another" : root["case"]!.GetValue<string>(),
            ["loss"] = new JsonObject { [how == "word" ? "mean" : "token_mean"] = Text(loss * coefficient) },
            ["grad"] = new JsonObject
            {
                ["token_mean"] = new JsonArray(
                    [.. gradient.Skip(how == "rows" ? 1 : 0).Select(row => new JsonArray([.. row.Select(Text)]))]),
            },
        };
        if (how == "nograd")
        {
            answer["grad"] = new JsonObject();
        }

        return answer.ToJsonString();
    }

    private static double Sum(IEnumerable<double> terms) => terms.Order().Sum();

    private static double Number(JsonNode node) => node.GetValueKind() == System.Text.Json.JsonValueKind.String
        ? node.GetValue<string>() switch
        {
            "NaN" => double.NaN,
            "Infinity" => double.PositiveInfinity,
            _ => double.NegativeInfinity,
        }
        : node.GetValue<double>();

    private static JsonNode Text(double value) => double.IsFinite(value)
        ? JsonValue.Create(value)
        : JsonValue.Create(double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
}
