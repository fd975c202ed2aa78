namespace Canal.Data.H5ad.Isolation;

/// <summary>Adds annotations to a copy of a file in a process of its own.</summary>
internal sealed class IsolatedAmender(string source, ReaderCommand command) : IDisposable
{
    private readonly ReaderProcess process = new(source, command);

    /// <inheritdoc cref="H5adAnnotator.RequireReadable"/>
    public void RequireReadable() => process.Ask("opening it", ReaderRequest.CheckReadable, to => to.Write(Path.GetFullPath(source)), _ => true);

    /// <inheritdoc cref="H5adAnnotator.Amend"/>
    public void Amend(string copy, string target, H5adAdditions additions, CancellationToken cancel)
    {
        process.Rows = (embedding, first, cells, to) =>
        {
            cancel.ThrowIfCancellationRequested();
            var rows = new float[cells * additions.Obsm[embedding].Width];
            additions.Obsm[embedding].ReadRows(first, rows);
            to.WriteNumbers<float>(rows);
        };
        process.Ask(
            "adding labels to a copy of it", ReaderRequest.Amend,
            to =>
            {
                to.Write(source);
                to.Write(Path.GetFullPath(copy));
                to.Write(target);
                AdditionsWire.Write(to, additions);
            },
            _ => true);
    }

    /// <inheritdoc/>
    public void Dispose() => process.Dispose();
}
