// emulator.cpp: the fiber scheduler of emulator.h.
#include "emulator.h"
#include <atomic>
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unordered_map>
#include <vector>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(SHIM_TSAN)
#include <sanitizer/tsan_interface.h>
#endif
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim
#undef __constant__
namespace shim {
thread_local Vars* cur;
// ---- context switch (System V x86-64): saves rbx rbp r12-r15, mxcsr/x87 are left alone ----
extern "C" void shim_switch(void** save_sp, void* load_sp);
asm(R"(
.text
.globl shim_switch
.hidden shim_switch
.type shim_switch,@function
shim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size shim_switch,.-shim_switch
)");
struct Kernel { Thunk thunk; int nargs; const unsigned char* kinds; };
static std::unordered_map<std::string, Kernel>& table() { static std::unordered_map<std::string, Kernel> t; return t; }
Registrar::Registrar(const char* n, Thunk t, int na, const unsigned char* k) { table()[n] = {t, na, k}; }

enum State : uint8_t { READY, WAIT_BLOCK, WAIT_WARP, DONE };
struct Fiber {
    Vars v; void* sp; State st; unsigned char lane; Op op; int arg, width; unsigned mask; uint64_t val, res;
    const char* file; int line; unsigned char* stack;
    void *asan_fake; void* tsan;
};
struct Warp { uint32_t ready, alive, arrived; };
#ifndef SHIM_STACK
#define SHIM_STACK (64 * 1024)
#endif
struct Worker {
    std::vector<Fiber> fibers; std::vector<Warp> warps; unsigned char* stacks = nullptr; size_t nstack = 0;
    void* host_sp = nullptr; Fiber* run = nullptr; int nthreads = 0, alive = 0, at_barrier = 0, order = 0; uint64_t rng = 1;
    const char* bfile = nullptr; int bline = 0; int red[3], redout[3]; Thunk thunk; void** args; const char* kname = "?"; std::string error;
    void* tsan_host = nullptr; char tsan_start, tsan_end, tsan_bar[2]; unsigned bar_gen = 0; const void* host_stack = nullptr; size_t host_size = 0; void* host_fake = nullptr;
    ~Worker() { if (stacks) munmap(stacks, nstack * STRIDE); }
    static constexpr size_t STRIDE = SHIM_STACK + 4096 + 4096;      // guard page + room for cache colouring
    void prepare(int n);
    void block(uint3 bid, dim3 grid, dim3 bdim, unsigned char* dyn);
    Fiber* next();
    void jump(Fiber* f, bool dying);
};
static thread_local Worker* W;
void trap(const char* msg, const char* f, int l) {
    auto v = cur; fprintf(stderr, "[shim] kernel %s: %s at %s:%d block (%u,%u,%u) thread (%u,%u,%u)\n", W->kname, msg, f, l, v->bid.x, v->bid.y, v->bid.z, v->tid.x, v->tid.y, v->tid.z);
    abort();
}
void Worker::prepare(int n) {
    if ((size_t)n > nstack) {
        if (stacks) munmap(stacks, nstack * STRIDE);
        stacks = (unsigned char*)mmap(nullptr, n * STRIDE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (stacks == MAP_FAILED) { perror("mmap"); abort(); }
        nstack = n; fibers.clear(); fibers.resize(n); warps.resize((n + 31) / 32);
        for (int i = 0; i < n; i++) {
            fibers[i].stack = stacks + i * STRIDE; fibers[i].lane = i & 31; mprotect(fibers[i].stack, 4096, PROT_NONE);
#if defined(SHIM_TSAN)
            fibers[i].tsan = __tsan_create_fiber(0);
#endif
        }
    }
}
static void fiber_main();
static void fiber_entry() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, W->host_stack ? nullptr : &W->host_stack, &W->host_size);
#endif
    fiber_main();
}
static inline int pick(uint32_t m, int order, uint64_t& rng) {
    if (order == 0) return __builtin_ctz(m);
    if (order == 1) return 31 - __builtin_clz(m);
    rng ^= rng << 13; rng ^= rng >> 7; rng ^= rng << 17;
    int k = rng % __builtin_popcount(m); while (k--) m &= m - 1; return __builtin_ctz(m);
}
Fiber* Worker::next() {
    int nw = (nthreads + 31) / 32, w0 = run ? (int)(run - fibers.data()) >> 5 : (order == 1 ? nw - 1 : 0);
    if (order == 2) { rng ^= rng << 13; rng ^= rng >> 7; rng ^= rng << 17; w0 = rng % nw; }
    for (int k = 0; k < nw; k++) {
        int w = order == 1 ? (w0 - k + nw) % nw : (w0 + k >= nw ? w0 + k - nw : w0 + k);
        if (warps[w].ready) { int l = pick(warps[w].ready, order, rng); return &fibers[w * 32 + l]; }
    }
    return nullptr;
}
void Worker::jump(Fiber* f, bool dying) {     // f == nullptr: back to the worker loop
    Fiber* me = run; run = f; void** save = me ? &me->sp : &host_sp;
    if (f) cur = &f->v;
#if defined(__SANITIZE_ADDRESS__)
    void** fake = me ? &me->asan_fake : &host_fake; if (dying) fake = nullptr;
    if (f) __sanitizer_start_switch_fiber(fake, f->stack + 4096, STRIDE - 4096); else __sanitizer_start_switch_fiber(fake, host_stack, host_size);
#endif
#if defined(SHIM_TSAN)
    __tsan_switch_to_fiber(f ? f->tsan : tsan_host, __tsan_switch_to_fiber_no_sync);
#endif
    shim_switch(save, f ? f->sp : host_sp);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(me ? me->asan_fake : host_fake, nullptr, nullptr);
#endif
}
static void stall(Worker* w) {
    std::string s; int shown = 0;
    for (int i = 0; i < w->nthreads && shown < 6; i++) {
        Fiber& f = w->fibers[i]; const char* n[] = {"ready", "waits at __syncthreads", "waits in warp primitive", "has exited"};
        if (i && w->fibers[i - 1].st == f.st && w->fibers[i - 1].line == f.line) continue;
        char b[256]; snprintf(b, sizeof b, "  thread %d.. %s", i, n[f.st]); s += b;
        if (f.st == WAIT_BLOCK || f.st == WAIT_WARP) { snprintf(b, sizeof b, " %s:%d", f.file, f.line); s += b; if (f.st == WAIT_WARP) { snprintf(b, sizeof b, " mask %08x", f.mask); s += b; } }
        s += "\n"; shown++;
    }
    fprintf(stderr, "[shim] kernel %s: DEADLOCK / divergent barrier, block (%u,%u,%u)\n%s", w->kname, cur->bid.x, cur->bid.y, cur->bid.z, s.c_str()); abort();
}
static void release_block(Worker* w) {
    int nw = (w->nthreads + 31) / 32;
    for (int k = 0; k < nw; k++) { w->warps[k].ready = w->warps[k].alive; }
    for (int i = 0; i < w->nthreads; i++) if (w->fibers[i].st == WAIT_BLOCK) w->fibers[i].st = READY;
    w->bar_gen++; w->at_barrier = 0; w->bfile = nullptr; memcpy(w->redout, w->red, sizeof w->red); w->red[0] = 0; w->red[1] = 1; w->red[2] = 0;
}
static void fiber_main() {
    for (;;) {
#if defined(SHIM_TSAN)
        __tsan_acquire(&W->tsan_start);
#endif
        W->thunk(W->args);
#if defined(SHIM_TSAN)
        __tsan_release(&W->tsan_end);
#endif
        Worker* w = W; Fiber* me = w->run; int i = me - w->fibers.data(); Warp& wp = w->warps[i >> 5];
        me->st = DONE; wp.ready &= ~(1u << me->lane); wp.alive &= ~(1u << me->lane); w->alive--;
        if (w->alive && w->at_barrier == w->alive) release_block(w);
        Fiber* n = w->alive ? w->next() : nullptr;
        if (w->alive && !n) stall(w);
        w->jump(n, false);                       // resumed again for the next block
    }
}
void block_barrier(const char* file, int line) {
    Worker* w = W; Fiber* me = w->run; int i = me - w->fibers.data();
    if (w->bfile && (w->bline != line)) { fprintf(stderr, "[shim] kernel %s: threads meet at different __syncthreads: %s:%d and %s:%d (thread %d)\n", w->kname, w->bfile, w->bline, file, line, i); abort(); }
    w->bfile = file; w->bline = line; me->file = file; me->line = line; me->st = WAIT_BLOCK; w->warps[i >> 5].ready &= ~(1u << me->lane);
#if defined(SHIM_TSAN)
    char* sync = &w->tsan_bar[w->bar_gen & 1]; __tsan_release(sync);   // two slots: a fast thread at the next barrier must not synchronise with a slow one leaving this one
#endif
    if (++w->at_barrier == w->alive) release_block(w);
    Fiber* n = w->next(); if (!n) stall(w);
    if (n != me) w->jump(n, false);
#if defined(SHIM_TSAN)
    __tsan_acquire(sync);
#endif
}
int block_reduce(int p, int op, const char* f, int l) {
    Worker* w = W; if (p) { w->red[0]++; w->red[2] = 1; } else w->red[1] = 0;
    block_barrier(f, l); return w->redout[op];
}
unsigned warp_active_mask() { Worker* w = W; return w->warps[(w->run - w->fibers.data()) >> 5].alive; }
uint64_t warp_exchange(unsigned mask, uint64_t v, int arg, int width, Op op, const char* f, int l, int*) {
    Worker* w = W; Fiber* me = w->run; int i = me - w->fibers.data(); Warp& wp = w->warps[i >> 5]; Fiber* base = &w->fibers[i & ~31];
    unsigned present = (i >> 5) == (w->nthreads - 1) >> 5 && (w->nthreads & 31) ? (1u << (w->nthreads & 31)) - 1 : 0xffffffffu;
    mask &= present;
    if (!(mask >> me->lane & 1)) trap("lane is not in its own mask", f, l);
    if ((mask & wp.alive) != mask) trap("mask names a lane that has exited", f, l);
    me->val = v; me->arg = arg; me->width = width; me->op = op; me->mask = mask; me->file = f; me->line = l; me->st = WAIT_WARP;
    wp.arrived |= 1u << me->lane; wp.ready &= ~(1u << me->lane);
    bool done = (wp.arrived & mask) == mask;
    if (done) for (unsigned m = mask; m; m &= m - 1) { Fiber& o = base[__builtin_ctz(m)]; if (o.mask != mask) { done = false; break; } if (o.op != op || o.line != l) trap("lanes of one mask meet in different warp primitives", f, l); }
#if defined(SHIM_TSAN)
    __tsan_release(&me->val);
#endif
    if (done) {
#if defined(SHIM_TSAN)
        for (unsigned m = mask; m; m &= m - 1) __tsan_acquire(&base[__builtin_ctz(m)].val);
        for (unsigned m = mask; m; m &= m - 1) __tsan_release(&base[__builtin_ctz(m)].res);
#endif
        unsigned ball = 0;
        if (op == BALLOT) for (unsigned m = mask; m; m &= m - 1) { int k = __builtin_ctz(m); ball |= (unsigned)base[k].val << k; }
        for (unsigned m = mask; m; m &= m - 1) {
            int k = __builtin_ctz(m), W_ = base[k].width, lo = k & ~(W_ - 1), s = k, a = base[k].arg;
            switch (op) {
            case IDX: s = lo + (a & (W_ - 1)); break;
            case UP: s = k - a < lo ? k : k - a; break;
            case DOWN: s = k + a >= lo + W_ ? k : k + a; break;
            case XOR: s = (k ^ a) >= lo + W_ ? k : (k ^ a); break;
            default: break;
            }
            if (op == BALLOT) base[k].res = ball;
            else if (op != SYNC) { if (!(mask >> s & 1)) { if (present >> s & 1) trap("shuffle reads a lane outside the mask", f, l); s = k; } base[k].res = base[s].val; }
            base[k].st = READY;
        }
        wp.arrived &= ~mask; wp.ready |= mask;
    }
    Fiber* n = w->next(); if (!n) stall(w);
    if (n != me) w->jump(n, false);
#if defined(SHIM_TSAN)
    __tsan_acquire(&me->res);
#endif
    return me->res;
}
void Worker::block(uint3 bid, dim3 grid, dim3 bdim, unsigned char* dyn) {
    int n = nthreads = bdim.x * bdim.y * bdim.z; prepare(n);
    alive = n; at_barrier = 0; bfile = nullptr; run = nullptr; red[0] = 0; red[1] = 1; red[2] = 0;
    for (int w = 0; w < (n + 31) / 32; w++) { uint32_t m = n - w * 32 >= 32 ? 0xffffffffu : (1u << (n - w * 32)) - 1; warps[w] = {m, m, 0}; }
    int i = 0;
    for (unsigned z = 0; z < bdim.z; z++) for (unsigned y = 0; y < bdim.y; y++) for (unsigned x = 0; x < bdim.x; x++, i++) {
        Fiber& f = fibers[i]; f.v = {{x, y, z}, bid, bdim, grid, dyn}; f.st = READY;
        if (!f.sp) {
            uintptr_t top = (uintptr_t)f.stack + STRIDE - (i * 192) % 4096; top &= ~63ull;   // colour: keep tops off one L1 set
            void** sp = (void**)top; *--sp = nullptr; *--sp = (void*)&fiber_entry; for (int k = 0; k < 6; k++) *--sp = nullptr; f.sp = sp;
        }
    }
#if defined(SHIM_TSAN)
    tsan_host = __tsan_get_current_fiber(); __tsan_release(&tsan_start);
#endif
    jump(next(), false);
#if defined(SHIM_TSAN)
    __tsan_acquire(&tsan_end);
#endif
}
} // namespace shim
using namespace shim;
// 0 and the number and kinds of a kernel's arguments, or 1 where there is none of that name.
extern "C" int emulator_kernel(const char* name, int* count, const unsigned char** kinds) { auto it = table().find(name); if (it == table().end()) return 1; *count = it->second.nargs; *kinds = it->second.kinds; return 0; }
// order: 0 forward, 1 reverse, >=2 random with that seed
extern "C" int emulator_launch(const char* name, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void** args, int nworkers, int order) {
    auto it = table().find(name); if (it == table().end()) return 1;
    if (bx * by * bz == 0 || bx * by * bz > 1024) return 2;
    std::atomic<unsigned long long> nextb{0}; unsigned long long nb = (unsigned long long)gx * gy * gz;
    auto body = [&](int wi) {
        static thread_local Worker worker; Worker& w = worker; W = &w;
        w.thunk = it->second.thunk; w.args = args; w.kname = it->first.c_str(); w.order = order > 2 ? 2 : order; w.rng = 0x9E3779B97F4A7C15ull * (order + 1) + wi;
        for (unsigned long long b; (b = nextb.fetch_add(1, std::memory_order_relaxed)) < nb;) {
            unsigned char* dyn = nullptr;
            if (shared) { dyn = (unsigned char*)malloc(shared); memset(dyn, 0xff, shared); }       // poison: NaN
            w.block({(unsigned)(b % gx), (unsigned)(b / gx % gy), (unsigned)(b / gx / gy)}, {gx, gy, gz}, {bx, by, bz}, dyn);
            free(dyn);
        }
    };
    if (nworkers <= 1 || nb == 1) { body(0); return 0; }
    std::vector<std::thread> ts; for (int i = 1; i < nworkers; i++) ts.emplace_back(body, i);
    body(0); for (auto& t : ts) t.join();
    return 0;
}

// C = op(A) op(B) (+ C), row-major, float32 sums in ascending k; types 0 float32, 1 f16, 2 bf16. A row's bits depend on that row and B alone.
static float element(const void* p, size_t i, int type)
{
    if (type == 0) return static_cast<const float*>(p)[i];
    if (type == 1) return to_float(static_cast<const f16*>(p)[i]);
    return to_float(static_cast<const bf16*>(p)[i]);
}
extern "C" void emulator_multiply(int M, int N, int K, void* C, int ldc, const void* A, int lda, const void* B, int ldb, int operands, int result, int ta, int tb, int accumulate)
{
    std::vector<float> b((size_t)K * N), sums(N);
    for (int k = 0; k < K; k++) for (int n = 0; n < N; n++) b[(size_t)k * N + n] = element(B, tb ? (size_t)n * ldb + k : (size_t)k * ldb + n, operands);
    for (int m = 0; m < M; m++) {
        for (int n = 0; n < N; n++) sums[n] = 0.0f;
        for (int k = 0; k < K; k++) {
            const float a = element(A, ta ? (size_t)k * lda + m : (size_t)m * lda + k, operands);
            const float* row = b.data() + (size_t)k * N;
            for (int n = 0; n < N; n++) sums[n] += a * row[n];
        }
        for (int n = 0; n < N; n++) {
            const size_t at = (size_t)m * ldc + n;
            const float x = sums[n] + (accumulate ? element(C, at, result) : 0.0f);
            if (result == 0) static_cast<float*>(C)[at] = x;
            else if (result == 1) from_float(static_cast<f16*>(C)[at], x);
            else from_float(static_cast<bf16*>(C)[at], x);
        }
    }
}
