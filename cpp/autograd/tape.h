#pragma once

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/variable.h"

namespace glm {

/// One op in a computation. It holds its inputs and what its backward needs, and can compute its output
/// again.
class Node {
 public:
  explicit Node(VariablePtr output) : output_(std::move(output)) {}
  virtual ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Enqueues the kernel that computes the output from the inputs.
  virtual void forward() = 0;
  /// Enqueues the kernels that add to the inputs' gradients, given the output's.
  virtual void backward() = 0;
  /// Whether computing the output again costs less than keeping it.
  virtual bool cheap() const { return false; }
  /// Whether running forward a second time changes nothing but the output.
  virtual bool repeatable() const { return true; }

 protected:
  friend class Tape;
  Device& device() const { return *output_->device(); }
  Variable& output() const { return *output_; }
  /// Whether a backward will follow.
  bool recorded() const { return recorded_; }

 private:
  VariablePtr output_;
  bool recorded_ = false;
};

/// The ops of a computation in order, and their backward. It owns every intermediate value that the backward
/// needs.
class Tape {
 public:
  void begin();
  bool recording() const { return recording_; }

  /// Runs an op forward. Records it if the tape is recording and some input wants a gradient.
  VariablePtr apply(std::unique_ptr<Node> node, std::initializer_list<const VariablePtr*> inputs);

  /// Runs the recorded ops backward, from `root` with the gradient it has, and forgets them one by one.
  void backward(const VariablePtr& root);

  /// Forgets what was recorded.
  void end();

 private:
  bool recording_ = false;
  std::vector<std::unique_ptr<Node>> nodes_;
};

/// What ops run in: a device and its tape.
struct Context {
  std::shared_ptr<Device> device;
  Tape tape;
};

}  // namespace glm
