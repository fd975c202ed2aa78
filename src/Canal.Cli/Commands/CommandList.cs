namespace Canal.Cli.Commands;

/// <summary>All verbs, in the order in which the overview shows them.</summary>
internal static class CommandList
{
    public static readonly Type[] Verbs =
    [
        typeof(DoctorCommand),
        typeof(PlanCommand),
        typeof(InspectCommand),
        typeof(SimulateCommand),
        typeof(PretrainCommand),
        typeof(LearnCommand),
        typeof(StreamCommand),
        typeof(AnnotateCommand),
        typeof(EvaluateCommand),
        typeof(BaselineCommand),
        typeof(ExplainCommand),
        typeof(BenchCommand),
    ];
}
