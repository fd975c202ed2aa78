// warp.cpp: lanes of a warp meet, and the last to come does the work of all.
#include "worker.h"
#include <stdio.h>

namespace emulator {

void warp_barrier(unsigned mask, const char* file, int line) { worker->warp_barrier(mask, file, line); }
uint64_t warp_shuffle(unsigned mask, uint64_t value, Source source, int by, int width, const char* file, int line) { return worker->warp_shuffle(mask, value, source, by, width, file, line); }
unsigned warp_vote(unsigned mask, bool vote, const char* file, int line) { return worker->warp_vote(mask, vote, file, line); }

void Worker::meet(unsigned mask, WarpOperation operation, const char* file, int line)
{
    Thread& me = *running;
    Warp& warp = warps[me.warp];
    const unsigned mine = 1u << me.lane;
    mask &= warp.present;
    if (!(mask & mine)) fail(file, line, "a lane is not in its own mask");
    if (const unsigned gone = mask & ~warp.alive) {
        char what[100];
        snprintf(what, sizeof what, "the mask %08x names lane %d, which has ended", mask, __builtin_ctz(gone));
        fail(file, line, what);
    }
    int i = 0;
    while (i < warp.meetings && warp.meeting[i].mask != mask) i++;
    Meeting& meeting = warp.meeting[i];
    if (i == warp.meetings) {
        warp.meetings++;
        meeting = {mask, 0, operation, file, line};
    } else if (meeting.operation != operation || meeting.line != line) {
        char what[300];
        snprintf(what, sizeof what, "lanes of one mask meet in different operations: others wait at %s:%d", base_name(meeting.file), meeting.line);
        fail(file, line, what);
    }
    meeting.arrived |= mine;
    warp.ready &= ~mine;
    me.at_barrier = false;
    me.file = file;
    me.line = line;
    me.mask = mask;
    if (meeting.arrived == mask) {
        if (checker) checker->meet(me.warp, mask);
        serve(meeting, warp);
        warp.ready |= mask;
        meeting = warp.meeting[--warp.meetings];
    }
    wait();
}

void Worker::serve(const Meeting& meeting, Warp& warp)
{
    switch (meeting.operation) {
    case WarpOperation::Barrier:
        break;
    case WarpOperation::Shuffle:
        for (unsigned lanes = meeting.mask; lanes; lanes &= lanes - 1) {
            const int lane = __builtin_ctz(lanes), from = warp.source[lane];
            if (!(meeting.mask >> from & 1)) {
                char what[100];
                snprintf(what, sizeof what, "lane %d reads lane %d, which is not in the mask %08x", lane, from, meeting.mask);
                fail(meeting.file, meeting.line, what);
            }
            warp.result[lane] = warp.value[from];
        }
        break;
    case WarpOperation::Vote: {
        uint64_t votes = 0;
        for (unsigned lanes = meeting.mask; lanes; lanes &= lanes - 1) votes |= warp.value[__builtin_ctz(lanes)] << __builtin_ctz(lanes);
        for (unsigned lanes = meeting.mask; lanes; lanes &= lanes - 1) warp.result[__builtin_ctz(lanes)] = votes;
        break;
    }
    case WarpOperation::MultiplyF16:
    case WarpOperation::MultiplyBf16:
        multiply_fragments(warp, meeting.operation == WarpOperation::MultiplyBf16, surroundings.truncates_products);
        break;
    case WarpOperation::LoadMatrices:
    case WarpOperation::LoadMatricesTransposed:
        load_matrices(warp, meeting.operation == WarpOperation::LoadMatricesTransposed);
        break;
    }
}

void Worker::warp_barrier(unsigned mask, const char* file, int line) { meet(mask, WarpOperation::Barrier, file, line); }

uint64_t Worker::warp_shuffle(unsigned mask, uint64_t value, Source source, int by, int width, const char* file, int line)
{
    Warp& warp = warps[running->warp];
    const int lane = running->lane, first = lane & ~(width - 1), end = first + width;
    int from = lane;
    switch (source) {
    case Source::Lane: from = first + (by & (width - 1)); break;
    case Source::Up: from = lane - by; break;
    case Source::Down: from = lane + by; break;
    case Source::Xor: from = lane ^ by; break;
    }
    // Beyond its segment of the warp a lane reads itself; an exclusive-or may reach an earlier segment.
    if (from >= end || (from < first && source != Source::Xor)) from = lane;
    if (!(warp.present >> from & 1)) from = lane;
    warp.source[lane] = (unsigned char)from;
    warp.value[lane] = value;
    meet(mask, WarpOperation::Shuffle, file, line);
    return warp.result[lane];
}

unsigned Worker::warp_vote(unsigned mask, bool vote, const char* file, int line)
{
    Warp& warp = warps[running->warp];
    const int lane = running->lane;
    warp.value[lane] = vote;
    meet(mask, WarpOperation::Vote, file, line);
    return (unsigned)warp.result[lane];
}

} // namespace emulator
