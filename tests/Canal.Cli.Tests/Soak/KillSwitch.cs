using System.Globalization;
using Canal.Testing;

namespace Canal.Cli.Tests.Soak;

/// <summary>
/// A library that is loaded before the program's own and kills it with SIGKILL at a change of its files: at the n-th file made, write, flush, rename
/// or removal below a folder, by the program or what it started; of a write the first half is written. Moments that a clock hardly ever meets.
/// </summary>
internal static class KillSwitch
{
    private const string CountEnding = ".count", SaidEnding = ".said";

    private const string Source = """
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <fnmatch.h>
        #include <signal.h>
        #include <stdarg.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/stat.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        #include <atomic>

        // What the program starts counts along in one shared number; it is the program that dies.
        static std::atomic<long>* changes;
        static long at;
        static int program;
        static const char *below, *match, *said;

        __attribute__((constructor)) static void begin() {
            below = getenv("CANAL_KILL_BELOW");
            match = getenv("CANAL_KILL_MATCH");
            said = getenv("CANAL_KILL_SAID");
            at = atol(getenv("CANAL_KILL_AT"));
            if (!getenv("CANAL_KILL_PROGRAM")) {
                char number[32];
                snprintf(number, sizeof number, "%d", getpid());
                setenv("CANAL_KILL_PROGRAM", number, 1);
            }
            program = atoi(getenv("CANAL_KILL_PROGRAM"));
            int file = open(getenv("CANAL_KILL_COUNT"), O_RDWR);
            void* shared = mmap(nullptr, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            close(file);
            if (shared != MAP_FAILED) changes = (std::atomic<long>*)shared;
        }

        static bool due(const char* what, const char* path) {
            if (!changes || strncmp(path, below, strlen(below)) != 0) return false;
            char change[5000];
            snprintf(change, sizeof change, "%s %s", what, path);
            if (fnmatch(match, change, 0) != 0 || ++*changes != at) return false;
            int file = syscall(SYS_open, said, O_WRONLY | O_CREAT, 0600);
            syscall(SYS_write, file, change, strlen(change));
            syscall(SYS_close, file);
            return true;
        }

        static bool due(const char* what, int file) {
            if (!changes) return false;
            char link[64], path[4096];
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t length = readlink(link, path, sizeof path - 1);
            if (length < 0) return false;
            path[length] = 0;
            return due(what, path);
        }

        static void die() {
            kill(program, SIGKILL);
            for (;;) pause();
        }

        #define NEXT(name) ((decltype(&name))dlsym(RTLD_NEXT, #name))
        #define OPEN(name) \
            extern "C" int name(const char* path, int flags, ...) { \
                va_list list; va_start(list, flags); mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0; va_end(list); \
                if (flags & (O_CREAT | O_TRUNC) && due("open", path)) die(); \
                return NEXT(name)(path, flags, mode); }
        #define WRITE_AT(name, offset_type) \
            extern "C" ssize_t name(int file, const void* bytes, size_t count, offset_type offset) { \
                if (due("write", file)) { NEXT(name)(file, bytes, count / 2, offset); die(); } \
                return NEXT(name)(file, bytes, count, offset); }
        #define ON_PATH(name) extern "C" int name(const char* path) noexcept { if (due(#name, path)) die(); return NEXT(name)(path); }
        OPEN(open)
        OPEN(open64)
        WRITE_AT(pwrite, off_t)
        WRITE_AT(pwrite64, off64_t)
        extern "C" ssize_t write(int file, const void* bytes, size_t count) {
            if (due("write", file)) { NEXT(write)(file, bytes, count / 2); die(); }
            return NEXT(write)(file, bytes, count);
        }
        extern "C" int fsync(int file) { if (due("fsync", file)) die(); return NEXT(fsync)(file); }
        extern "C" int fdatasync(int file) { if (due("fdatasync", file)) die(); return NEXT(fdatasync)(file); }
        extern "C" int ftruncate(int file, off_t length) noexcept { if (due("ftruncate", file)) die(); return NEXT(ftruncate)(file, length); }
        extern "C" int ftruncate64(int file, off64_t length) noexcept { if (due("ftruncate", file)) die(); return NEXT(ftruncate64)(file, length); }
        extern "C" int rename(const char* from, const char* to) noexcept { if (due("rename", to)) die(); return NEXT(rename)(from, to); }
        ON_PATH(unlink)
        ON_PATH(rmdir)
        extern "C" int mkdir(const char* path, mode_t mode) noexcept { if (due("mkdir", path)) die(); return NEXT(mkdir)(path, mode); }
        """;

    /// <summary>Builds the library.</summary>
    /// <returns>Its path; null where there is no g++ or no Linux.</returns>
    public static string? Build(string folder)
    {
        if (!OperatingSystem.IsLinux()) return null;
        try
        {
            return SharedLibraryBuilder.Build(Path.Combine(folder, "kill_switch.so"), Source, "-O1", "-ldl");
        }
        catch (SkipException)
        {
            return null;
        }
    }

    /// <summary>The environment that has a program killed at a change of a file.</summary>
    /// <param name="library">What <see cref="Build"/> made.</param>
    /// <param name="notes">Beginning of the paths of two files that are made: a counter, and what was about to happen when the program was killed.</param>
    /// <param name="change">Which change, from 1; 0 only counts.</param>
    /// <param name="below">Files below this folder count.</param>
    /// <param name="match">Of these, changes that fit this pattern: what is done (open, write, fsync, ftruncate, rename, unlink, mkdir, rmdir), a blank, the path.</param>
    public static KeyValuePair<string, string>[] Environment(string library, string notes, long change, string below, string match = "*")
    {
        File.WriteAllBytes(notes + CountEnding, new byte[sizeof(long)]);
        File.Delete(notes + SaidEnding);
        return
        [
            new("LD_PRELOAD", library), new("CANAL_KILL_AT", change.ToString(CultureInfo.InvariantCulture)), new("CANAL_KILL_BELOW", below), new("CANAL_KILL_MATCH", match),
            new("CANAL_KILL_COUNT", notes + CountEnding), new("CANAL_KILL_SAID", notes + SaidEnding),
        ];
    }

    /// <summary>Changes that a program made.</summary>
    public static long Changes(string notes) => BitConverter.ToInt64(File.ReadAllBytes(notes + CountEnding));

    /// <summary>The change that a program was about to make when it was killed: what, and the path; null where none killed it.</summary>
    public static (string What, string Path)? KilledAt(string notes) =>
        File.Exists(notes + SaidEnding) && File.ReadAllText(notes + SaidEnding).Split(' ', 2) is [var what, var path] ? (what, path) : null;
}
