using Canal.Cli.Commands;
using CommandLine;
using CommandLine.Text;

namespace Canal.Cli;

/// <summary>Answers <c>--help</c>, <c>--version</c> and command lines that do not parse.</summary>
internal static class Help
{
    private const int Width = 120;

    public static int Answer(ParserResult<object> parsed, Error[] errors, string[] arguments, CommandContext context)
    {
        if (errors.IsVersion())
        {
            context.Out.WriteLine("canal " + Version());
            return ExitCodes.Done;
        }
        if (arguments.Length == 0 || arguments is ["--help"])
        {
            WriteOverview(arguments.Length == 0 ? context.Error : context.Out);
            return arguments.Length == 0 ? ExitCodes.User : ExitCodes.Done;
        }
        if (errors.IsHelp())
        {
            var help = HelpText.AutoBuild(parsed, text => Shape(text), example => example, maxDisplayWidth: Width);
            context.Out.WriteLine(help.ToString().TrimEnd());
            return ExitCodes.Done;
        }
        foreach (var line in Sentences(errors, arguments[0])) context.Error.WriteLine("canal: " + Terminal.SafeText.Message(line));
        return ExitCodes.User;
    }

    /// <summary>Reads the other ways of asking for help: <c>help</c>, <c>help COMMAND</c>, <c>-h</c>.</summary>
    public static string[] Normalise(string[] arguments) => arguments switch
    {
        ["help"] or ["-h"] => ["--help"],
        ["help", var command] => [command, "--help"],
        [var command, .., "-h"] => [command, "--help"],
        _ => arguments,
    };

    /// <summary>An example for a command's help: only the options that matter to it are shown, not those at their defaults.</summary>
    public static Example Example(string text, object sample) => new(text, new UnParserSettings { SkipDefault = true }, sample);

    public static string Version() => typeof(Help).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    private static HelpText Shape(HelpText text)
    {
        text.Heading = "canal " + Version();
        text.Copyright = string.Empty;
        text.AdditionalNewLineAfterOption = false;
        text.AddEnumValuesToHelpText = true;
        text.MaximumDisplayWidth = Width;
        return text;
    }

    private static void WriteOverview(TextWriter output)
    {
        output.WriteLine("canal " + Version() + ": annotates the cell types of single cells, and keeps learning.");
        output.WriteLine();
        foreach (var verb in CommandList.Verbs)
        {
            var attribute = (VerbAttribute)Attribute.GetCustomAttribute(verb, typeof(VerbAttribute))!;
            output.WriteLine($"  canal {attribute.Name,-10} {attribute.HelpText}");
        }
        output.WriteLine();
        output.WriteLine("  canal COMMAND --help shows a command's options and an example.");
        output.WriteLine("  First try: canal simulate -o demo && canal stream demo/stream.json");
    }

    private static IEnumerable<string> Sentences(Error[] errors, string command)
    {
        foreach (var error in errors)
        {
            yield return error switch
            {
                BadVerbSelectedError bad => $"there is no command '{bad.Token}'; canal --help lists them",
                NoVerbSelectedError => "a command is missing; canal --help lists them",
                UnknownOptionError unknown => $"there is no option '{unknown.Token}' here; canal {command} --help lists them",
                MissingRequiredOptionError missing => $"{Required(missing.NameInfo, command)} is missing; canal {command} --help shows an example",
                MissingValueOptionError missing => $"{Name(missing.NameInfo)} needs a value",
                BadFormatConversionError bad => $"the value of {Name(bad.NameInfo)} cannot be read; canal {command} --help says what it may be",
                BadFormatTokenError bad => $"'{bad.Token}' cannot be read as an option",
                RepeatedOptionError repeated => $"{Name(repeated.NameInfo)} was given twice",
                SequenceOutOfRangeError range => $"{Name(range.NameInfo)} was given too few or too many values",
                SetValueExceptionError set => $"the value of {Name(set.NameInfo)} is not usable: {set.Exception.InnerException?.Message ?? set.Exception.Message}",
                _ => $"the command line cannot be read ({error.Tag})",
            };
        }
    }

    private static string Required(NameInfo name, string command)
    {
        if (name.LongName.Length > 0) return Name(name);
        var verb = CommandList.Verbs.FirstOrDefault(v => ((VerbAttribute)Attribute.GetCustomAttribute(v, typeof(VerbAttribute))!).Name == command);
        var value = verb?.GetProperties().Select(p => (ValueAttribute?)Attribute.GetCustomAttribute(p, typeof(ValueAttribute))).FirstOrDefault(v => v is { Required: true });
        return value?.MetaName ?? "a required argument";
    }

    private static string Name(NameInfo name) => name.LongName.Length > 0 ? "--" + name.LongName : name.ShortName.Length > 0 ? "-" + name.ShortName : "a required argument";
}
