using System.Diagnostics;
using System.Text;

namespace Canal.Data.H5ad.Isolation;

/// <summary>The process that reads a file, seen from the program that wants it read: questions go to its input, answers come from its output, and its death is one line.</summary>
/// <remarks>One thread at a time. The process ends itself when the program does, however that ends: see <see cref="ReaderServer"/>.</remarks>
internal sealed class ReaderProcess : IDisposable
{
    private const int SecondsToEnd = 30;
    private const int ErrorTextLength = 2000;

    /// <summary>A reader says every second that it is busy; one that says nothing for so long does not run any more. Counted in ticks of a timer, so that a machine that sleeps does not count.</summary>
    private const int SilentSeconds = 60;

    private readonly string path;
    private readonly Process process;
    private readonly BinaryWriter questions;
    private readonly BinaryReader answers;
    private readonly Timer watch;
    private readonly StringBuilder errorText = new();
    private readonly long memory;
    private int silence;
    private bool waiting, silenced, disposed;
    private Exception? death;

    public ReaderProcess(string path, ReaderCommand command)
    {
        this.path = path;
        memory = command.MemoryFor(path);
        var start = new ProcessStartInfo(command.Program, [.. command.Arguments, memory.ToString(System.Globalization.CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        // A short-lived process: no code is compiled twice to learn what is hot, no memory is reserved beyond the limit.
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x" + memory.ToString("x", System.Globalization.CultureInfo.InvariantCulture);
        try
        {
            process = Process.Start(start) ?? throw new InvalidOperationException("no process was started");
        }
        catch (Exception error) when (error is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            throw new MachineException($"{command.Program} could not be started to read {path} ({error.Message}).", error);
        }
        ReaderMemory.Started(process.Id);
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginErrorReadLine();
        questions = Wire.Writer(process.StandardInput.BaseStream);
        answers = Wire.Reader(process.StandardOutput.BaseStream);
        watch = new Timer(_ => Watch(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    /// <summary>Answers a reader's wish for rows of an embedding: which, from which cell, how many cells.</summary>
    public Action<int, int, int, BinaryWriter>? Rows { get; set; }

    /// <summary>Asks one question and waits for its answer.</summary>
    /// <param name="doing">What the reader is doing meanwhile, for the line that tells of its death: <c>reading X</c>.</param>
    /// <param name="request">The question.</param>
    /// <param name="parameters">Writes what belongs to it.</param>
    /// <param name="answer">Reads the answer.</param>
    /// <exception cref="UserException">The file is at fault.</exception>
    public T Ask<T>(string doing, ReaderRequest request, Action<BinaryWriter> parameters, Func<BinaryReader, T> answer)
    {
        Post(doing, request, parameters);
        return Receive(doing, answer);
    }

    /// <summary>Asks a question whose answer is fetched later, before anything else is asked; it must be short, so that a pipe holds it.</summary>
    public void Post(string doing, ReaderRequest request, Action<BinaryWriter> parameters) => Talk(doing, () =>
    {
        questions.Write((byte)request);
        parameters(questions);
        questions.Flush();
        return true;
    });

    /// <summary>Waits for the answer to the question asked last.</summary>
    public T Receive<T>(string doing, Func<BinaryReader, T> answer) => Talk(doing, () =>
    {
        Await(doing);
        return answer(answers);
    });

    /// <summary>Ends the process. It has nothing to lose: its scratch file has no name, and what it wrote for an answered question is closed.</summary>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        watch.Dispose();
        ReaderMemory.Ending(process.Id);
        Kill();
        process.Dispose();
    }

    private T Talk<T>(string doing, Func<T> talk)
    {
        if (death is not null) throw death;
        try
        {
            Volatile.Write(ref silence, 0);
            Volatile.Write(ref waiting, true);
            return talk();
        }
        catch (Exception error) when (error is IOException or InvalidDataException or FormatException)
        {
            // The pipe ended, or what came is no answer: the reader is dead or out of its mind.
            throw death = Death(doing, error);
        }
        catch (Exception error) when (error is not (UserException or MachineException))
        {
            death ??= error; // in the middle of a question: nothing more can be asked
            throw;
        }
        finally
        {
            Volatile.Write(ref waiting, false);
        }
    }

    private void Await(string doing)
    {
        while (true)
        {
            var kind = (ReaderAnswer)answers.ReadByte();
            Volatile.Write(ref silence, 0);
            switch (kind)
            {
                case ReaderAnswer.Busy:
                    continue;
                case ReaderAnswer.Rows when Rows is not null:
                    Rows(answers.ReadInt32(), answers.ReadInt32(), answers.ReadInt32(), questions);
                    questions.Flush();
                    continue;
                case ReaderAnswer.Done:
                    return;
                case ReaderAnswer.User:
                    throw new UserException(answers.ReadString());
                case ReaderAnswer.Machine:
                    throw new MachineException(answers.ReadString());
                case ReaderAnswer.Memory:
                    throw death = OutOfMemory(doing);
                case ReaderAnswer.Defect:
                    throw new InvalidOperationException(answers.ReadString());
                default:
                    throw new InvalidDataException($"an answer of kind {kind}");
            }
        }
    }

    private UserException OutOfMemory(string doing) =>
        new($"{path}: {doing} took more memory than the {memory >> 20} MiB that a file of its size is given; it is damaged, fetch or write it again ({ReaderCommand.MoreMemory}).");

    /// <summary>What to say of a reader that is no more: by its signal where it had one.</summary>
    private Exception Death(string doing, Exception error)
    {
        var ended = error is EndOfStreamException || error is IOException;
        if (!ended || !process.WaitForExit(TimeSpan.FromSeconds(SecondsToEnd))) Kill();
        if (!process.WaitForExit(TimeSpan.FromSeconds(SecondsToEnd))) return new MachineException($"{path}: the process that reads it does not end; end it by hand (process {process.Id}).", error);
        process.WaitForExit(); // and all it said has come
        const int signal = 128, interrupt = 2, kill = 9, terminate = 15;
        const string cure = "the file is damaged, fetch or write it again";
        return process.ExitCode switch
        {
            ReaderGuard.StuckExitCode => new UserException($"{path}: the HDF5 library did not come back from {doing}; {cure}.", error),
            _ when silenced => new UserException($"{path}: the process that reads it stopped answering while {doing}; {cure}.", error),
            _ when !ended => new UserException($"{path}: the HDF5 library went wrong while {doing}; {cure}.", error),
            signal + interrupt or signal + terminate => new OperationCanceledException(),
            signal + kill => new MachineException($"{path}: the process that reads it was killed while {doing}, for want of memory or by hand; try again.", error),
            > signal => new UserException($"{path}: the HDF5 library crashed while {doing}; {cure}.", error),
            var code => new MachineException($"{path}: the process that reads it could not go on (exit code {code}): {FirstLine()}.", error),
        };
    }

    private void Watch()
    {
        if (!Volatile.Read(ref waiting) || Interlocked.Increment(ref silence) < SilentSeconds) return;
        silenced = true;
        Kill();
    }

    private void Kill()
    {
        try
        {
            if (!process.HasExited) process.Kill();
        }
        catch (Exception error) when (error is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // It has just ended by itself.
        }
    }

    private void Note(string? line)
    {
        lock (errorText)
            if (line is not null && errorText.Length < ErrorTextLength) errorText.Append(line).Append('\n');
    }

    private string FirstLine()
    {
        lock (errorText) return errorText.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries) is [var first, ..] ? first.TrimEnd('.') : "it said nothing";
    }
}
