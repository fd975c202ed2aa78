using System.Reflection;
using Xunit;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Canal.AllTests;

/// <summary>The tests of one assembly, found and run by xunit itself.</summary>
internal sealed class TestAssembly : IDisposable
{
    private readonly XunitTestFramework framework = new(new NullMessageSink());
    private readonly Assembly assembly;
    private readonly Settings settings = new();

    /// <summary>Finds the tests.</summary>
    public TestAssembly(Assembly assembly)
    {
        this.assembly = assembly;
        using var found = new Discovery();
        using var discoverer = framework.GetDiscoverer(Reflector.Wrap(assembly));
        discoverer.Find(includeSourceInformation: false, found, settings);
        found.Ended.WaitOne();
        Cases = found.Cases;
    }

    /// <summary>All its tests; of a theory one for each row of data.</summary>
    public IReadOnlyList<IXunitTestCase> Cases { get; }

    /// <summary>Runs some of them to the end.</summary>
    public void Run(IEnumerable<IXunitTestCase> cases, Tally tally)
    {
        using var execution = new Execution(tally);
        using var executor = framework.GetExecutor(assembly.GetName());
        executor.RunTests(cases, execution, settings);
        execution.Ended.WaitOne();
    }

    /// <inheritdoc/>
    public void Dispose() => framework.Dispose();

    private sealed class Settings : ITestFrameworkDiscoveryOptions, ITestFrameworkExecutionOptions
    {
        private readonly Dictionary<string, object?> values = new() { ["xunit.execution.SynchronousMessageReporting"] = true };

        public T GetValue<T>(string name) => values.TryGetValue(name, out var value) && value is not null ? (T)value : default!;

        public void SetValue<T>(string name, T value) => values[name] = value;
    }

    private sealed class Discovery : LongLivedMarshalByRefObject, IMessageSink, IDisposable
    {
        public ManualResetEvent Ended { get; } = new(false);

        public List<IXunitTestCase> Cases { get; } = [];

        public bool OnMessage(IMessageSinkMessage message)
        {
            if (message is ITestCaseDiscoveryMessage { TestCase: IXunitTestCase test }) Cases.Add(test);
            else if (message is IDiscoveryCompleteMessage) Ended.Set();
            return true;
        }

        public void Dispose() => Ended.Dispose();
    }

    private sealed class Execution(Tally tally) : LongLivedMarshalByRefObject, IMessageSink, IDisposable
    {
        public ManualResetEvent Ended { get; } = new(false);

        public bool OnMessage(IMessageSinkMessage message)
        {
            switch (message)
            {
                case ITestPassed passed: tally.Pass(passed.Test.DisplayName, passed.ExecutionTime); break;
                case ITestFailed failed: tally.Fail(failed.Test.DisplayName, failed); break;
                case ITestSkipped skipped: tally.Skip(skipped.Test.DisplayName, skipped.Reason); break;
                // What fails outside a test: a fixture that cannot be made or disposed of.
                case ITestClassCleanupFailure fault: tally.Fail(fault.TestClass.Class.Name, fault); break;
                case ITestCollectionCleanupFailure fault: tally.Fail(fault.TestCollection.DisplayName, fault); break;
                case ITestCleanupFailure fault: tally.Fail(fault.Test.DisplayName, fault); break;
                case ITestMethodCleanupFailure fault: tally.Fail(fault.TestMethod.Method.Name, fault); break;
                case ITestCaseCleanupFailure fault: tally.Fail(fault.TestCase.DisplayName, fault); break;
                case ITestAssemblyCleanupFailure fault: tally.Fail(fault.TestAssembly.Assembly.Name, fault); break;
                case IErrorMessage fault: tally.Fail("outside all tests", fault); break;
                case ITestAssemblyFinished: Ended.Set(); break;
            }
            return true;
        }

        public void Dispose() => Ended.Dispose();
    }
}
