using Canal.Data;
using Canal.Models;
using Canal.Planning;
using Canal.Testing;

namespace Canal.Tests.Data;

public sealed class CellsFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void CellsComeBackBitForBit()
    {
        using var cells = Cells();
        CellsFile.Save(cells, folder["cells.safetensors"]);
        using var back = CellsFile.Load(folder["cells.safetensors"], cells.Panel);
        Assert.Equal(cells.Tokens.Checksum, back.Tokens.Checksum);
        Assert.Equal((cells.Name, cells.Report.Simulated), (back.Name, back.Report.Simulated));
        Assert.Equal(cells.CellIds, back.CellIds);
        Assert.Equal(cells.Labels, back.Labels);
        Assert.Equal(cells.Types, back.Types);
        Assert.Equal(cells.Validation, back.Validation);
        Assert.Equal(cells.LowQuality, back.LowQuality);
        Assert.Equal([KeyValuePair.Create("a", 3), KeyValuePair.Create("b", 2)], back.Report.Types);
    }

    [Fact]
    public void CellsOfAnotherPanelAreRefused()
    {
        using var cells = Cells();
        CellsFile.Save(cells, folder["cells.safetensors"]);
        var refused = Assert.Throws<UserException>(() => CellsFile.Load(folder["cells.safetensors"], StandIns.Panel(31)));
        Assert.Contains("other genes", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AModelIsNoCells()
    {
        var model = StandIns.Base(new ModelConfiguration { Genes = 30, Width = 8, Blocks = 1, Heads = 1, HeadWidth = 8, Features = 4 }, 1);
        ModelFile.Save(model, folder["model.safetensors"]);
        Assert.Contains("no prepared cells", Assert.Throws<UserException>(() => CellsFile.Load(folder["model.safetensors"], model.Panel)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("label", 2)]
    [InlineData("gene", 30)]
    [InlineData("bin", 0)]
    [InlineData("bin", 6)]
    [InlineData("indptr", -1)]
    public void WhatCannotBeIsRefused(string tensor, int value)
    {
        using var cells = Cells();
        var path = folder["cells.safetensors"];
        CellsFile.Save(cells, path);
        using (var reader = SafetensorsReader.Open(path))
        {
            var tensors = reader.Entries.Keys.Select(name =>
            {
                var values = reader.ReadInt32(name);
                // Not the first: where the offsets begin is checked apart.
                if (name == tensor) values[1] = value;
                return SafetensorsTensor.Of(name, [values.Length], values);
            }).ToArray();
            SafetensorsWriter.Write(folder["changed.safetensors"], tensors, reader.Metadata);
        }
        Assert.Contains("damaged cells", Assert.Throws<UserException>(() => CellsFile.Load(folder["changed.safetensors"], cells.Panel)).Message, StringComparison.Ordinal);
    }

    private static PreparedCells Cells()
    {
        var cells = StandIns.Cells(StandIns.Panel(30), 6, 12, 1);
        return new PreparedCells
        {
            Name = "six", Panel = cells.Panel, Tokens = cells.Tokens, CellIds = cells.CellIds, Rows = cells.Rows, Labels = [0, 1, -1, 0, 0, 1], Types = ["a", "b"],
            LowQuality = [false, true, false, false, false, false], Validation = [true, false, false, false, true, false], Report = cells.Report,
        };
    }
}
