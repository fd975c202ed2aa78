namespace Canal.Fuzz;

/// <summary>What is run, and how.</summary>
internal sealed record FuzzSettings
{
    /// <summary>Number of inputs.</summary>
    public required int Inputs { get; init; }

    /// <summary>Decides every input: the same seed gives the same inputs.</summary>
    public required int Seed { get; init; }

    /// <summary>The one input to run; -1 for all.</summary>
    public int Only { get; init; } = -1;

    /// <summary>Workers at a time.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>Folder for inputs; those that failed stay in it.</summary>
    public required string Keep { get; init; }

    /// <summary>How a worker is started.</summary>
    public required (string Program, string[] Arguments) Worker { get; init; }

    /// <summary>The program itself, for the inputs that are run as a command line; null runs those in a worker too.</summary>
    public (string Program, string[] Arguments)? Program { get; init; }

    /// <summary>Processor time that one input may take.</summary>
    public double MostSeconds { get; init; } = 10;

    /// <summary>Time by the clock that one input may take, however busy the machine is.</summary>
    public double MostClockSeconds { get; init; } = 900;
}
