// A plain read of memory by several threads, to be timed in turn with ours: bench/generate.ts builds and starts this.
//
// Each line is answered with the bytes per second of one pass over 512 MiB, every thread adding up a part of its own.

#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kWords = (512 << 20) / sizeof(uint64_t);

uint64_t sum_of(const uint64_t* words, size_t count) {
  constexpr size_t kSums = 32;  // enough vectors to hide the latency of an addition
  uint64_t sums[kSums] = {};
  for (size_t i = 0; i < count; i += kSums) {
    for (size_t k = 0; k < kSums; k++) sums[k] += words[i + k];
  }
  uint64_t total = 0;
  for (uint64_t sum : sums) total += sum;
  return total;
}

}  // namespace

int main(int, char** arguments) {
  size_t threads = std::strtoul(arguments[1], nullptr, 10);
  std::vector<uint64_t> words(kWords, 1), totals(threads);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::barrier start(static_cast<std::ptrdiff_t>(threads) + 1);
    std::vector<std::jthread> readers;
    for (size_t t = 0; t < threads; t++) {
      readers.emplace_back([&, t] {
        size_t part = kWords / threads / 32 * 32;
        start.arrive_and_wait();
        totals[t] = sum_of(words.data() + t * part, part);
      });
    }
    auto started = std::chrono::steady_clock::now();
    start.arrive_and_wait();
    readers.clear();
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
    uint64_t total = 0;
    for (uint64_t sum : totals) total += sum;
    if (total < kWords - 32 * threads) return 1;
    std::cout << static_cast<double>(total * sizeof(uint64_t)) / seconds.count() << std::endl;
  }
}
