using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Canal.Models;
using Canal.Testing;

namespace Canal.Cli.Tests;

/// <summary>Files that were cut, flipped or given hostile numbers, always the same ones: never a defect, always one line.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed partial class FuzzTests(SimulatedStream stream) : IDisposable
{
    private const int Mutations = 300;

    private static readonly string[] hostile =
        ["-1", "0", "1e400", "-0.0", "1e-400", "2147483647", "2147483648", "9223372036854775807", "18446744073709551616", "99999999999999999999999999999999", "null", "[]", "\"\\ud800\"", "\"\\u0000\"", "{}"];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void StreamFiles()
    {
        // The second stage's cells are nowhere, so that a harmless change ends there and not in training.
        var text = $$"""
            {
              "name": "s", "seeds": [1, 2], "min_genes": 3, "output": "out", "label": "cell_type",
              "base": {"pretrain": {"data": [{"data": {{Json(stream.Study1)}}, "where": "split == train"}], "max_epochs": 2, "batch": 7, "accumulation": 2, "rate": 0.001, "validation": 0.1} },
              "genes": {"panel": 100}, "model": {"width": 16, "blocks": 1, "heads": 2, "head_width": 8, "features": 16},
              "learning": {"max_epochs": 1, "patience": 1, "batch": 14, "rate": 1e-3, "lambda": 0.1, "bank": 100, "bank_policy": "random", "trainable": "all"}, "ablate": ["joint"],
              "stages": [{"name": "1", "data": {{Json(stream.Study1)}}, "where": "split == train"}, {"name": "2", "data": "nowhere.h5ad"}],
              "tests": [{"name": "t", "stage": 1, "data": {{Json(stream.Study1)}}, "merge": {"a": "b"} }]
            }
            """;
        var random = new Random(1);
        for (var i = 0; i < Mutations; i++)
        {
            File.WriteAllBytes(folder["s.json"], i == 0 ? Encoding.UTF8.GetBytes(text) : Mutate(Encoding.UTF8.GetBytes(text), random));
            var run = CommandLineRun.Of("stream", folder["s.json"], "-o", folder["results"]);
            Assert.True(run.Code == ExitCodes.User, $"mutation {i}: {run.Code} {run.Error}\n{File.ReadAllText(folder["s.json"])}");
            run.AssertRefused();
            Assert.False(Directory.Exists(folder["results"]));
        }
    }

    [Fact]
    public void ModelFiles()
    {
        var model = File.ReadAllBytes(stream.Stage2);
        var header = 8 + (int)BinaryPrimitives.ReadUInt64LittleEndian(model);
        Assert.Equal(model, Stamped(model.AsSpan(8, header - 8), model.AsSpan(header)));
        var (random, refused) = (new Random(2), 0);
        for (var i = 0; i < Mutations; i++)
        {
            // Mostly the header, stamped with the right length and checksum again, so that what lies behind these checks is reached.
            var bytes = (i % 6) switch
            {
                0 => Mutate(model, random),
                1 => Stamped(model.AsSpan(8, header - 8), Mutate(model[header..], random)),
                _ => Stamped(Mutate(model[8..header], random), model.AsSpan(header)),
            };
            File.WriteAllBytes(folder["m.safetensors"], bytes);
            var run = CommandLineRun.Of("annotate", stream.Unseen, "-m", folder["m.safetensors"], "-o", folder["labels.csv"]);
            if (run.Code == ExitCodes.Done) continue;
            Assert.True(run.Code == ExitCodes.User, $"mutation {i}: {run.Code} {run.Error}");
            run.AssertRefused();
            refused++;
        }
        Assert.InRange(refused, Mutations / 2, Mutations);
    }

    private static byte[] Mutate(byte[] from, Random random)
    {
        if (random.Next(3) == 0)
        {
            // Latin-1 keeps every byte as it is.
            var text = Encoding.Latin1.GetString(from, 0, Math.Min(from.Length, 1 << 20));
            var numbers = Numbers().Matches(text);
            if (numbers.Count > 0)
            {
                var number = numbers[random.Next(numbers.Count)];
                var with = Encoding.Latin1.GetBytes(hostile[random.Next(hostile.Length)]);
                return [.. from.AsSpan(0, number.Index), .. with, .. from.AsSpan(number.Index + number.Length)];
            }
        }
        if (random.Next(4) == 0) return from[..random.Next(from.Length)];
        var bytes = (byte[])from.Clone();
        for (var flips = random.Next(1, 4); flips > 0; flips--) bytes[random.Next(bytes.Length)] ^= (byte)random.Next(1, 256);
        return bytes;
    }

    private static byte[] Stamped(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data)
    {
        byte[] bytes = [.. new byte[8], .. header, .. data];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)header.Length);
        var match = Regex.Match(Encoding.Latin1.GetString(header), Regex.Escape(SafetensorsReader.ChecksumKey) + "\":\"([^\"]{64})\"");
        if (!match.Success) return bytes;
        var place = bytes.AsSpan(8 + match.Groups[1].Index, 64);
        place.Fill((byte)'0');
        Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(bytes))).CopyTo(place);
        return bytes;
    }

    private static string Json(string value) => System.Text.Json.JsonSerializer.Serialize(value);

    [GeneratedRegex("(?<=[:,\\[]\\s*)-?[0-9.]+(?=[,\\]}])")]
    private static partial Regex Numbers();
}
