// emulator.h: runs CUDA C++ kernels on the processor. kernels/common.cuh includes it in place of the device's own primitives, under the same
// names, so that the kernels' sources need no change. Each CUDA thread is a fiber; the fibers of a block share an operating system thread.
#pragma once
#include "language.h"
#include "device_math.h"
#include "halves.h"
#include "warp.h"
#include "atomics.h"
#include "tensor_cores.h"
#include "async_copy.h"
