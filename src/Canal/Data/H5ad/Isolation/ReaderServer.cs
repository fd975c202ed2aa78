using System.Globalization;
using System.Runtime.InteropServices;
using Canal.Interop.Posix;

namespace Canal.Data.H5ad.Isolation;

/// <summary>The process that reads one file for another program: questions at standard input, answers at standard output.</summary>
/// <remarks>It ends at once when the program does, however that ends, and when it goes round in circles; it cannot use more memory than it was told.</remarks>
public sealed class ReaderServer : IDisposable
{
    private const int PipeBytes = 1 << 20;
    private const int OrphanExitCode = 98;

    private readonly BinaryReader questions;
    private readonly BinaryWriter answers;
    private readonly Lock gate = new();
    private readonly ReaderGuard guard;
    private readonly SparseRows block = new();
    private readonly List<ExpressionMatrix> matrices = [];
    private H5adFile? file;

    private ReaderServer(Stream input, Stream output)
    {
        questions = Wire.Reader(input);
        answers = Wire.Writer(output);
        guard = new ReaderGuard(() => Tell(ReaderAnswer.Busy));
    }

    /// <summary>Serves until the program that asks ends this process, or itself.</summary>
    /// <param name="arguments">What stands behind <see cref="ReaderCommand.Verb"/> on the command line: the bytes that this process may use.</param>
    /// <returns>The exit code.</returns>
    public static int Run(IReadOnlyList<string> arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        if (arguments is not [var limit] || !long.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out var memory)) return 2;
        OwnProcess.EndWithStandardInput(OrphanExitCode);
        OwnProcess.DumpNothing();
        OwnProcess.LimitMemory(memory);
        OwnProcess.WidenStandardOutput(PipeBytes);
        // Ctrl-C at a terminal reaches every process: the program decides what becomes of it.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using var server = new ReaderServer(Console.OpenStandardInput(), Console.OpenStandardOutput());
        return server.Serve();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        file?.Dispose();
        questions.Dispose();
        answers.Dispose();
    }

    private int Serve()
    {
        while (true)
        {
            var request = (ReaderRequest)questions.ReadByte();
            guard.Busy = true;
            Answer(request);
            guard.Busy = false;
        }
    }

    private void Answer(ReaderRequest request)
    {
        try
        {
            var answer = Work(request);
            lock (gate)
            {
                answers.Write((byte)ReaderAnswer.Done);
                answer(answers);
                answers.Flush();
            }
        }
        catch (UserException error)
        {
            Tell(ReaderAnswer.User, error.Message);
        }
        catch (MachineException error)
        {
            Tell(ReaderAnswer.Machine, error.Message);
        }
        catch (OutOfMemoryException)
        {
            Tell(ReaderAnswer.Memory);
        }
        catch (IOException error)
        {
            Tell(ReaderAnswer.Machine, error.Message);
        }
        catch (Exception error)
        {
            Tell(ReaderAnswer.Defect, error.ToString());
        }
    }

    /// <summary>Does what was asked and returns what writes the answer.</summary>
    private Action<BinaryWriter> Work(ReaderRequest request)
    {
        switch (request)
        {
            case ReaderRequest.Open:
                var (path, scratch, cellId) = (questions.ReadString(), questions.ReadText(), questions.ReadText());
                guard.FileBytes = new FileInfo(path).Length;
                file = H5adFile.Open(path, scratch, cellId);
                return to =>
                {
                    to.WriteTexts(file.CellNames);
                    to.WriteTexts(file.ObsColumns);
                    to.WriteTexts(file.Matrices);
                };
            case ReaderRequest.Obs:
                var column = File.ReadObs(questions.ReadString());
                return to => to.WriteTexts(column.Values);
            case ReaderRequest.GeneNames:
                var names = File.GeneNames(questions.ReadString());
                return to => to.WriteTexts(names);
            case ReaderRequest.VarColumns:
                var columns = File.VarColumns(questions.ReadString());
                return to => to.WriteTexts(columns);
            case ReaderRequest.Var:
                var values = File.ReadVar(questions.ReadString(), questions.ReadString()).Values;
                return to => to.WriteTexts(values);
            case ReaderRequest.LogBase:
                var logBase = File.DeclaredLogBase ?? double.NaN;
                return to => to.Write(logBase);
            case ReaderRequest.Notes:
                var notes = File.ReadNotes();
                return to =>
                {
                    to.Write(notes is not null);
                    if (notes is null) return;
                    to.WriteTexts(notes.KnownTypes);
                    to.Write(notes.Simulated);
                };
            case ReaderRequest.OpenMatrix:
                var matrix = File.OpenMatrix(questions.ReadString());
                matrices.Add(matrix);
                return to =>
                {
                    to.Write(matrices.Count - 1);
                    to.Write(matrix.GeneCount);
                };
            case ReaderRequest.Cells:
                matrices[questions.ReadInt32()].ReadCells(questions.ReadInt32(), questions.ReadInt32(), block);
                return to => to.WriteCells(block);
            case ReaderRequest.CheckReadable:
                H5adAnnotator.RequireReadable(questions.ReadString());
                return _ => { };
            case ReaderRequest.Amend:
                var (source, copy, target) = (questions.ReadString(), questions.ReadString(), questions.ReadString());
                guard.FileBytes = new FileInfo(copy).Length;
                H5adAnnotator.Amend(source, copy, target, AdditionsWire.Read(questions, AskRows), CancellationToken.None);
                return _ => { };
            default:
                throw new InvalidDataException($"a question of kind {request}");
        }
    }

    private H5adFile File => file ?? throw new InvalidOperationException("No file is open.");

    private void AskRows(int embedding, int first, int width, Span<float> rows)
    {
        lock (gate)
        {
            answers.Write((byte)ReaderAnswer.Rows);
            answers.Write(embedding);
            answers.Write(first);
            answers.Write(rows.Length / width);
            answers.Flush();
        }
        questions.ReadNumbers(rows);
    }

    private void Tell(ReaderAnswer kind, string? text = null)
    {
        lock (gate)
        {
            answers.Write((byte)kind);
            if (text is not null) answers.Write(text);
            answers.Flush();
        }
    }
}
