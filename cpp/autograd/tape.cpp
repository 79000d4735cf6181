#include "autograd/tape.h"

namespace glm {

Node::~Node() { output_->producer_ = nullptr; }

void Tape::begin() {
  require(!recording_, Code::kInvalidArgument,
          "expected one recording at a time, found a tape that is recording; ",
          "finish the computation that began it first");
  recording_ = true;
}

VariablePtr Tape::apply(std::unique_ptr<Node> node, std::initializer_list<const VariablePtr*> inputs) {
  bool wanted = false;
  for (const VariablePtr* input : inputs)
    wanted = wanted || (*input != nullptr && (*input)->requires_gradient());
  node->recorded_ = recording_ && wanted;
  VariablePtr output = node->output_;
  if (Recording* recording = node->device().recording()) {
    for (const VariablePtr* input : inputs)
      if (*input != nullptr) (*input)->tensor().keep_for(*recording);
  }
  node->forward();
  if (node->recorded_) {
    output->requires_gradient_ = true;
    output->producer_ = node.get();
    nodes_.push_back(std::move(node));
  }
  return output;
}

void Tape::backward(const VariablePtr& root) {
  require(root->producer_ != nullptr, Code::kInvalidArgument,
          "expected the result of a recorded computation, found a tensor that no recorded op has made");
  bool reached = false;
  while (!nodes_.empty()) {
    Node& node = *nodes_.back();
    reached = reached || node.output_ == root;
    if (reached && (node.output_->gradient_ || node.output_ == root)) node.backward();
    node.output_->gradient_ = Tensor();
    nodes_.pop_back();
  }
}

void Tape::end() {
  recording_ = false;
  while (!nodes_.empty()) nodes_.pop_back();
}

}  // namespace glm
