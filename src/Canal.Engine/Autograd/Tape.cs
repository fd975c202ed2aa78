using Canal.Engine.Devices;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>
/// Records the operations of a forward pass that some gradient depends on, and runs them backward. Nothing is recorded for inputs that
/// are frozen all the way; a tape that does not record (<see cref="ForInference"/>) runs the same code and keeps nothing. Steps and
/// variables are pooled. Belongs to one thread.
/// </summary>
public sealed class Tape : IDisposable
{
    private readonly List<Step> steps = [];
    private readonly List<Variable> variables = [];
    private readonly Stack<Variable> spareVariables = [];
    private readonly Dictionary<Type, Stack<Step>> spareSteps = [];
    private readonly bool trains;

    /// <summary>A tape that records.</summary>
    /// <param name="device">Where everything runs.</param>
    public Tape(Device device) : this(device, recording: true) { }

    private Tape(Device device, bool recording)
    {
        Device = device;
        IsRecording = trains = recording;
    }

    /// <summary>Where everything runs.</summary>
    public Device Device { get; }

    /// <summary>Whether operations are recorded now.</summary>
    public bool IsRecording { get; private set; }

    /// <summary>
    /// Whether encoder blocks that nothing depends on run as one fused operation instead of operation by operation. Both give the same bits.
    /// </summary>
    public bool FusesBlocks { get; init; } = true;

    /// <summary>
    /// Element type of the activations of a part of the model. Depends on how the tape was made, not on whether it records at the moment: a
    /// part that is run again in the backward pass must get the same bits. Frozen parts are computed as in inference, so that a cache of their outputs
    /// changes nothing.
    /// </summary>
    /// <param name="depends">Whether the part's input needs a gradient or the part trains.</param>
    public DType ActivationType(bool depends) => Device.ActivationType(training: trains && depends);

    /// <summary>Steps recorded and not yet run backward.</summary>
    public int RecordedSteps => steps.Count;

    /// <summary>A tape that never records: prediction. <see cref="Clear"/> it after each batch.</summary>
    public static Tape ForInference(Device device) => new(device, recording: false);

    /// <summary>A variable over memory that someone else owns and keeps until <see cref="Clear"/>: tokens' embeddings from a cache, a batch.</summary>
    public Variable Borrow(Tensor value, bool needsGradient = false) => Start(value, owns: false, needsGradient);

    /// <summary>Runs everything recorded backward, last first, and gives each step's memory back as it is used.</summary>
    public void Backward() => BackwardTo(0);

    /// <summary>Forgets what was recorded and gives back all memory: the end of a step, or of a failed one. All variables become invalid.</summary>
    public void Clear()
    {
        for (var i = steps.Count - 1; i >= 0; i--) Recycle(steps[i]);
        steps.Clear();
        foreach (var variable in variables)
        {
            variable.End();
            spareVariables.Push(variable);
        }
        variables.Clear();
    }

    /// <summary>Gives back all memory.</summary>
    public void Dispose() => Clear();

    /// <summary>A float32 variable with fresh memory, contents undefined.</summary>
    internal Variable Allocate(Shape shape, bool needsGradient) => Allocate(DType.Float32, shape, needsGradient);

    /// <summary>A variable with fresh memory, contents undefined.</summary>
    internal Variable Allocate(DType type, Shape shape, bool needsGradient) => Start(Device.Allocate(type, shape), owns: true, IsRecording && needsGradient);

    /// <summary>A step to fill in; give it to <see cref="Record"/>.</summary>
    internal TStep Rent<TStep>() where TStep : Step, new() =>
        spareSteps.TryGetValue(typeof(TStep), out var spare) && spare.TryPop(out var step) ? (TStep)step : new TStep();

    internal void Record(Step step, Variable? output)
    {
        step.Output = output;
        steps.Add(step);
    }

    /// <summary>Stops recording until <see cref="Resume"/>; returns whether it was on.</summary>
    internal bool Pause()
    {
        var was = IsRecording;
        IsRecording = false;
        return was;
    }

    internal void Resume(bool recording) => IsRecording = recording;

    /// <summary>Runs the steps after the first <paramref name="count"/> backward.</summary>
    internal void BackwardTo(int count)
    {
        while (steps.Count > count)
        {
            var step = steps[^1];
            steps.RemoveAt(steps.Count - 1);
            if (step.Output is null or { HasGradient: true }) step.Backward(this);
            step.Output?.DropGradient();
            Recycle(step);
        }
    }

    private void Recycle(Step step)
    {
        step.Release();
        step.Output = null;
        if (!spareSteps.TryGetValue(step.GetType(), out var spare)) spareSteps[step.GetType()] = spare = new Stack<Step>();
        spare.Push(step);
    }

    private Variable Start(Tensor value, bool owns, bool needsGradient)
    {
        if (!spareVariables.TryPop(out var variable)) variable = new Variable(this);
        variables.Add(variable);
        variable.Start(value, owns, needsGradient);
        return variable;
    }
}
