// What the products of all transposes and types have in common before a kernel starts.

#include "matmul/launch.cuh"

namespace glm::cuda {
namespace {

/// An operand as a matrix in memory.
struct Extent {
  int64_t rows, width;
};

struct Layout {
  DType dtype;
  Extent a, b;
  size_t a_bytes, b_bytes;  // of the workspace, for packed operands
  Plan plan;
  size_t bytes() const { return a_bytes + b_bytes + parts_bytes; }
  size_t parts_bytes;
};

Layout lay_out(const Queue& queue, Transposes transposes, const Product& p) {
  Layout layout{};
  bool both = p.a.dtype == DType::kBFloat16 && p.b.dtype == DType::kBFloat16;
  layout.dtype = both ? DType::kBFloat16 : DType::kFloat32;
  layout.a = transposes == Transposes::kTN ? Extent{p.k, p.m} : Extent{p.m, p.k};
  layout.b = transposes == Transposes::kNT ? Extent{p.n, p.k} : Extent{p.k, p.n};
  auto bytes = [&](const Operand& operand, const Extent& extent) {
    return is_direct(operand, layout.dtype) ? 0 : packed_bytes(extent.rows, extent.width, layout.dtype);
  };
  layout.a_bytes = bytes(p.a, layout.a);
  layout.b_bytes = bytes(p.b, layout.b);
  layout.plan = plan_product(layout.dtype, transposes == Transposes::kNT, p.m, p.n, p.k,
                             queue.properties().multiProcessorCount);
  if (layout.plan.parts > 1) layout.parts_bytes = static_cast<size_t>(layout.plan.parts * p.m * p.n) * 4;
  return layout;
}

ByteMatrix bytes_of(const Operand& operand, const Extent& extent) {
  int64_t size = size_of(operand.dtype);
  return {static_cast<const char*>(operand.data), operand.stride * size, static_cast<int32_t>(extent.rows),
          static_cast<int32_t>((extent.width * size + 15) / 16 * 16)};
}

}  // namespace

size_t multiply_workspace(const Queue& queue, Transposes transposes, const Product& product) {
  return lay_out(queue, transposes, product).bytes();
}

PreparedProduct prepare(const Queue& queue, Transposes transposes, const Product& product, void* workspace) {
  Layout layout = lay_out(queue, transposes, product);
  char* at = static_cast<char*>(workspace);
  Operand a = product.a, b = product.b;
  if (layout.a_bytes != 0) a = pack(queue, a, layout.a.rows, layout.a.width, layout.dtype, at);
  at += layout.a_bytes;
  if (layout.b_bytes != 0) b = pack(queue, b, layout.b.rows, layout.b.width, layout.dtype, at);
  at += layout.b_bytes;
  return {layout.dtype, layout.plan,
          Problem{.a = bytes_of(a, layout.a),
                  .b = bytes_of(b, layout.b),
                  .rows = static_cast<int32_t>(product.m),
                  .columns = static_cast<int32_t>(product.n),
                  .tile_rows = 0,
                  .tile_columns = 0,
                  .steps = layout.plan.steps,
                  .steps_of_part = layout.plan.steps_of_part,
                  .whole = product.n % 4 == 0},
          reinterpret_cast<float*>(at)};
}

}  // namespace glm::cuda
