using Canal.Learning;

namespace Canal.Tests.Learning;

/// <summary>Collects what a run says.</summary>
internal sealed class Sayings : IProgress<LearningProgress>
{
    public List<string> Lines { get; } = [];

    public void Report(LearningProgress value)
    {
        if (value.Message is { } line) Lines.Add(line);
    }
}
