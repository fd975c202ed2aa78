namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// One piece of a job that <see cref="WorkerPool"/> cuts by index. Implemented by structs that carry their arguments as fields.
/// A result may depend on <c>index</c> and never on <c>worker</c>: which worker takes an index is chance.
/// </summary>
public interface IParallelBody
{
    /// <summary>Does piece <paramref name="index"/>; <paramref name="worker"/> only tells whose scratch may be used. Runs on many threads at once.</summary>
    void Run(int index, int worker);
}
