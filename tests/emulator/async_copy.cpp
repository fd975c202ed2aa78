// async_copy.cpp: copies made at the wait for them and not before.
#include "worker.h"
#include "async_copy.h"

namespace emulator {

constexpr int CopyBytes = 16;

void copy_later(void* to, const void* from, const char* file, int line) { worker->copy_later(to, from, file, line); }
void close_copy_group() { worker->close_copy_group(); }
void wait_for_copies(int groups_left) { worker->wait_for_copies(groups_left); }

void Worker::copy_later(void* to, const void* from, const char* file, int line)
{
    if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) % CopyBytes != 0) fail(file, line, "cp.async: an address is not a multiple of 16 bytes");
    observe(from, CopyBytes, Access::Read, file, line);
    observe(to, CopyBytes, Access::Write, file, line);
    memset(to, 0xff, CopyBytes);
    running->copies.push_back({to, from, file, line});
}

void Worker::close_copy_group() { running->groups.push_back(running->copies.size()); }

void Worker::wait_for_copies(int groups_left)
{
    auto& groups = running->groups;
    if ((int)groups.size() <= groups_left) return;
    const size_t ended = groups.size() - groups_left, ready = groups[ended - 1];
    auto& copies = running->copies;
    for (size_t i = 0; i < ready; i++) {
        const Copy& copy = copies[i];
        if (checker) checker->finish_copy(copy.to, copy.from, CopyBytes, Place{nullptr, copy.file, copy.line});
        memcpy(copy.to, copy.from, CopyBytes);
    }
    copies.erase(copies.begin(), copies.begin() + ready);
    groups.erase(groups.begin(), groups.begin() + ended);
    for (auto& end : groups) end -= ready;
}

} // namespace emulator
