namespace Canal.Cli.Commands;

/// <summary>Options of the commands that read labelled cells.</summary>
internal interface ILabelOptions
{
    /// <summary>obs column with the cell types.</summary>
    string Label { get; }

    /// <summary>Whether cells without a label are left out instead of refusing the file.</summary>
    bool SkipUnlabelled { get; }
}
