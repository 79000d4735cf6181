#pragma once

#include "host/queue.h"

namespace glm::check {

/// What a device reaches with nothing else to do.
struct Peaks {
  double bytes;         // a second, read and written
  double float32;       // operations a second
  double tensor_cores;  // operations a second, bfloat16
};

/// Milliseconds on the queue's stream for `work`, repeated so long that the clock is fine enough, but at most
/// `most` times.
double milliseconds(const cuda::Queue& queue, int most, const std::function<void()>& work);

/// `small`: only to see that it runs.
Peaks measure_peaks(const cuda::Queue& queue, bool small);

}  // namespace glm::check
