using System.Globalization;
using System.Reflection;
using Canal.AllTests;

const string Usage = """
    canal-tests [--gpu | --no-gpu] [--filter TEXT]... [--list]

      --gpu          only tests that need a CUDA card
      --no-gpu       only tests that need none
      --filter TEXT  only tests with TEXT in their full name; several: any of them
      --list         print the names and run nothing
      --verbose      name every test as it ends, with its seconds

    Runs the tests that Canal was built with, without an SDK. Reference data are looked for in the folder that CANAL_SHARED names.
    Exit code: 0 all passed or skipped, 1 a test failed or none was chosen, 2 the command line is wrong.
    """;

// The assemblies by name, in the order in which a fault in one would show in the next.
string[] assemblies = ["Canal.Interop.Tests", "Canal.Engine.Tests", "Canal.Tests", "Canal.Cli.Tests"];
bool? gpu = null;
var (list, verbose) = (false, false);
var filters = new List<string>();
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--gpu": gpu = true; break;
        case "--no-gpu": gpu = false; break;
        case "--list": list = true; break;
        case "--verbose": verbose = true; break;
        case "--filter" when i + 1 < args.Length: filters.Add(args[++i]); break;
        case "--help" or "-h":
            Console.WriteLine(Usage);
            return 0;
        default:
            Console.Error.WriteLine($"canal-tests: {args[i]} is not known, or its value is missing\n\n{Usage}");
            return 2;
    }
}
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var tally = new Tally(Console.Out, verbose);
foreach (var name in assemblies)
{
    using var tests = new TestAssembly(Assembly.Load(name));
    var chosen = tests.Cases.Where(Chosen).ToList();
    if (list) chosen.ForEach(test => Console.WriteLine(test.DisplayName));
    else if (chosen.Count > 0) tests.Run(chosen, tally);
    tally.Chosen += chosen.Count;
}
if (list) return 0;
tally.Report();
return tally.Failed == 0 && tally.Chosen > 0 ? 0 : 1;

bool Chosen(Xunit.Abstractions.ITestCase test) =>
    (gpu is null || gpu == (test.Traits.TryGetValue("Device", out var devices) && devices.Contains("gpu")))
    && (filters.Count == 0 || filters.Exists(text => test.DisplayName.Contains(text, StringComparison.OrdinalIgnoreCase)));
