using System.Text;

namespace Canal.Fuzz;

/// <summary>Damage to text: a list of genes, a stream file.</summary>
internal static class TextMutation
{
    private static readonly string[] pieces =
        ["\0", "\u001b[2J", "\r", "\n\n\n", "\uFEFF", "\"", "{", "}", "[", "]", ",", ":", "//", "/*", "\\u0000", "\\ud800", "null", "true", "1e999", "-1", "/dev/zero", "/", "..", "study_1.h5ad", "\u202E"];

    /// <summary>A list with lines changed, doubled, lengthened, or other bytes in it.</summary>
    public static byte[] OfLines(byte[] from, Random random)
    {
        var lines = Encoding.UTF8.GetString(from).Split('\n').ToList();
        for (var times = random.Next(1, 4); times > 0; times--)
        {
            var at = random.Next(lines.Count);
            switch (random.Next(6))
            {
                case 0: lines.Insert(at, lines[random.Next(lines.Count)]); break;
                case 1: lines[at] = new string('G', random.Next(1, 200_000)); break;
                case 2: lines[at] += pieces[random.Next(pieces.Length)]; break;
                case 3: lines.RemoveRange(at, Math.Min(lines.Count - at - 1, random.Next(1, 50))); break;
                case 4: lines.AddRange(Enumerable.Range(0, random.Next(1, 100_000)).Select(i => "g" + i)); break;
                default: return ByteMutation.OfBinary(from, random);
            }
        }
        return Encoding.UTF8.GetBytes(string.Join('\n', lines));
    }

    /// <summary>A JSON text with pieces put in, doubled or nested deeply, or its numbers and bytes changed.</summary>
    public static byte[] OfJson(byte[] from, Random random)
    {
        var text = Encoding.UTF8.GetString(from);
        var at = random.Next(text.Length);
        switch (random.Next(8))
        {
            case 0: return Encoding.UTF8.GetBytes(text.Insert(at, pieces[random.Next(pieces.Length)]));
            case 1: return Encoding.UTF8.GetBytes(text.Insert(at, string.Concat(Enumerable.Repeat(random.Next(2) == 0 ? "[" : "{\"a\":", random.Next(1, 200_000)))));
            case 2:
                var (start, end) = (random.Next(text.Length), random.Next(text.Length));
                return Encoding.UTF8.GetBytes(text.Insert(at, text[Math.Min(start, end)..Math.Max(start, end)]));
            case 3: return Encoding.UTF8.GetBytes(text.Remove(at, Math.Min(random.Next(1, 20), text.Length - at)));
            case 4: return ByteMutation.OfBinary(from, random);
            default: return ByteMutation.OfText(from, random);
        }
    }
}
