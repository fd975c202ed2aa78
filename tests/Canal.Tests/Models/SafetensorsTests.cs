using System.Text;
using Canal.Models;
using Canal.Testing;

namespace Canal.Tests.Models;

public sealed class SafetensorsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Model => folder["model.safetensors"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Every_type_and_shape_comes_back_as_written()
    {
        Write();
        using var reader = SafetensorsReader.Open(Model);
        Assert.Equal([1.5f, -0f, float.Epsilon, float.NaN, float.PositiveInfinity, 6], reader.ReadSingles("single"));
        Assert.Equal([2L, 3L], reader.Entries["single"].Shape);
        Assert.Equal([Math.PI], reader.ReadDoubles("scalar"));
        Assert.Equal([(float)Math.PI], reader.ReadSingles("scalar"));
        Assert.Empty(reader.Entries["scalar"].Shape);
        Assert.Equal([long.MinValue, long.MaxValue], reader.ReadIntegers("long"));
        Assert.Equal([-1, 7, int.MaxValue], reader.ReadInt32("int"));
        Assert.Equal([0L, 255L, 3L], reader.ReadIntegers("byte"));
        Assert.Empty(reader.ReadSingles("nothing"));
        Assert.Equal("Zürich <µ> \"α\"\n", reader.Metadata["name"]);
    }

    [Fact]
    public void Tensors_lie_on_multiples_of_their_element_size()
    {
        Write();
        Assert.Equal(0, BitConverter.ToInt64(File.ReadAllBytes(Model)) % 8);
        using var reader = SafetensorsReader.Open(Model);
        Assert.All(reader.Entries.Values, entry => Assert.Equal(0, entry.Begin % entry.Type.Bytes()));
    }

    [Fact]
    public void The_same_contents_give_the_same_bytes()
    {
        Write();
        var first = File.ReadAllBytes(Model);
        Write();
        Assert.Equal(first, File.ReadAllBytes(Model));
    }

    [Fact]
    public void Half_precision_tensors_of_other_programs_can_be_read()
    {
        WriteRaw(
            """{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]},"u":{"dtype":"U16","shape":[1],"data_offsets":[8,10]}}""",
            [0x00, 0x3C, 0x00, 0xC2, 0x80, 0x3F, 0x40, 0xC0, 0xFF, 0xFF]);
        using var reader = SafetensorsReader.Open(Model);
        Assert.Equal([1f, -3f], reader.ReadSingles("h"));
        Assert.Equal([1f, -3f], reader.ReadSingles("b"));
        Assert.Equal([65535], reader.ReadInt32("u"));
    }

    [SkippableFact]
    public void Reference_check_points_can_be_read()
    {
        var golden = SharedFiles.Golden("performer_tiny", "weights");
        using var reader = SafetensorsReader.Open(SharedFiles.Require("golden", "performer_tiny", "weights.safetensors"));
        Assert.Equal(golden.Names.Order(), reader.Entries.Keys.Order());
        foreach (var name in golden.Names)
        {
            Assert.Equal(golden.Shape(name).Select(size => (long)size), reader.Entries[name].Shape);
            if (reader.Entries[name].Type.IsFloat()) Assert.Equal(golden.Doubles(name), reader.ReadDoubles(name));
            else Assert.Equal(golden.Doubles(name), reader.ReadIntegers(name).Select(value => (double)value));
        }
        Assert.Equal(SafetensorsType.F64, reader.Entries["pos_emb.emb.weight"].Type);
    }

    [Fact]
    public void Any_changed_byte_is_noticed()
    {
        Write();
        var whole = File.ReadAllBytes(Model);
        var key = whole.AsSpan().IndexOf("canal.checksum"u8);
        for (var place = 0; place < whole.Length; place++)
        {
            // A file whose checksum goes by another name is a file of another program; a model is told by more than that.
            if (place >= key && place < key + "canal.checksum".Length) continue;
            foreach (var bit in new[] { 0x01, 0x80 })
            {
                var damaged = (byte[])whole.Clone();
                damaged[place] ^= (byte)bit;
                File.WriteAllBytes(Model, damaged);
                AssertOneLine(Refusal());
            }
        }
    }

    [Fact]
    public void Any_truncation_is_noticed()
    {
        Write();
        var whole = File.ReadAllBytes(Model);
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(Model, whole[..length]);
            AssertOneLine(Refusal());
        }
        File.WriteAllBytes(Model, [.. whole, 0]);
        AssertOneLine(Refusal());
    }

    [Theory]
    [InlineData("", "", "holds only 8 bytes")]
    [InlineData("[]        ", "", "'{'")]
    [InlineData("""{"a":1}""", "", "object")]
    [InlineData("""{"a":{"dtype":"F32"}}""", "", "lacks")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]""", "aaaa", "JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}""", "aaaa", "JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""", "aaaa", "two data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}""", "aaaa", "more than 2")]
    [InlineData("""{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}""", "aaaa", "unknown type")]
    [InlineData("""{"a":{"dtype":"2","shape":[1],"data_offsets":[0,4]}}""", "aaaa", "unknown type")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", "aaaa", "whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", "aaaa", "whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}""", "aaaa", "whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", "aaaa", "needs 8 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}""", "aaaa", "too large")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}""", "", "too large")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", "aaaa", "more than 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", "aaaa", "offsets are 4 to 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "aaa", "holds 3")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "aaaaa", "holds 5")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "aaaaaaaa", "starts at byte 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "aaaa", "starts at byte 0")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}""", "aaa", "starts at byte 2")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", "aa", "occurs twice")]
    [InlineData("""{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", "a", "twice")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}}""", "a", "does not belong")]
    [InlineData("""{"__metadata__":{"k":"a","k":"b"}}""", "", "twice")]
    [InlineData("""{"__metadata__":{"k":"a"},"__metadata__":{"k":"b"}}""", "", "twice")]
    [InlineData("""{"__metadata__":{"k":1}}""", "", "object")]
    [InlineData("""{"__metadata__":{"k":{"k":{"k":{"k":1}}}}}""", "", "object")]
    [InlineData("""{"__metadata__":{"k":"\ud800"}}""", "", "JSON")]
    [InlineData("""{"__metadata__":{"canal.checksum":"abc"}}""", "", "checksum")]
    public void A_header_that_breaks_a_rule_is_refused_in_one_line(string header, string data, string expected)
    {
        WriteRaw(header, Encoding.ASCII.GetBytes(data));
        var message = Refusal();
        AssertOneLine(message);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_that_is_not_UTF8_and_endless_names_and_headers_are_refused()
    {
        byte[] header = [.. "{\""u8, 0xC3, 0x28, .. "\":1}"u8];
        File.WriteAllBytes(Model, [.. BitConverter.GetBytes((long)header.Length), .. header]);
        Assert.Contains("UTF-8", Refusal(), StringComparison.Ordinal);
        WriteRaw($$$"""{"{{{new string('n', 2000)}}}":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", [1]);
        Assert.Contains("longer than", Refusal(), StringComparison.Ordinal);
        foreach (var length in new[] { ulong.MaxValue, 1UL << 40, 65UL << 20, 100UL })
        {
            File.WriteAllBytes(Model, [.. BitConverter.GetBytes(length), .. "{}"u8, .. new byte[10]]);
            Assert.Contains("header", Refusal(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_missing_file_a_folder_and_a_wrong_question_end_in_one_line()
    {
        AssertOneLine(Refusal());
        Assert.Throws<UserException>(() => SafetensorsReader.Open(folder.Root));
        Write();
        using var reader = SafetensorsReader.Open(Model);
        Assert.Contains("missing", Assert.Throws<UserException>(() => reader.ReadSingles("none")).Message, StringComparison.Ordinal);
        Assert.Contains("I32", Assert.Throws<UserException>(() => reader.ReadSingles("int")).Message, StringComparison.Ordinal);
        Assert.Contains("F32", Assert.Throws<UserException>(() => reader.ReadIntegers("single")).Message, StringComparison.Ordinal);
        Assert.Contains("too large", Assert.Throws<UserException>(() => reader.ReadInt32("long")).Message, StringComparison.Ordinal);
    }

    private void Write() => SafetensorsWriter.Write(
        Model,
        [
            SafetensorsTensor.Of("byte", [3], new byte[] { 0, 255, 3 }),
            SafetensorsTensor.Of("single", [2, 3], new[] { 1.5f, -0f, float.Epsilon, float.NaN, float.PositiveInfinity, 6 }),
            SafetensorsTensor.Of("scalar", [], new[] { Math.PI }),
            SafetensorsTensor.Of("int", [1, 3], new[] { -1, 7, int.MaxValue }),
            SafetensorsTensor.Of("nothing", [0, 4], Array.Empty<float>()),
            SafetensorsTensor.Of("long", [2], new[] { long.MinValue, long.MaxValue }),
        ],
        new Dictionary<string, string> { ["name"] = "Zürich <µ> \"α\"\n" });

    private void WriteRaw(string header, byte[] data)
    {
        var bytes = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(Model, [.. BitConverter.GetBytes((long)bytes.Length), .. bytes, .. data]);
    }

    private string? Refusal()
    {
        try
        {
            SafetensorsReader.Open(Model).Dispose();
            return null;
        }
        catch (UserException error)
        {
            return error.Message;
        }
    }

    private static void AssertOneLine(string? message)
    {
        Assert.NotNull(message);
        Assert.DoesNotContain('\n', message);
    }
}
