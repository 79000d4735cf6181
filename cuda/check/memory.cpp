#include "base/error.h"
#include "check/cases.h"

namespace glm::check {
namespace {

double bytes(int64_t elements, DType dtype) { return static_cast<double>(elements * size_of(dtype)); }

void add_sizes(std::vector<Case>& cases, int64_t elements, DType dtype, bool large) {
  std::string shape = text(elements);
  double size = bytes(elements, dtype);
  cases.push_back({"zero",
                   shape,
                   dtype,
                   large,
                   {size, 0},
                   [=](Side& side) {
                     side.run(Zero{side.result("out", dtype, elements), elements * size_of(dtype)});
                   },
                   true});
  cases.push_back({"add",
                   shape,
                   dtype,
                   large,
                   {3 * size, 0},
                   [=](Side& side) {
                     side.run(Add{.dtype = dtype,
                                  .elements = elements,
                                  .x = side.input(dtype, elements),
                                  .y = side.result("y", dtype, elements, true)});
                   },
                   true});
  for (DType from : {DType::kFloat32, DType::kBFloat16, DType::kFloat16}) {
    cases.push_back({text("cast from ", name_of(from)),
                     shape,
                     dtype,
                     large,
                     {bytes(elements, from) + size, 0},
                     [=](Side& side) {
                       side.run(Cast{.from = from,
                                     .to = dtype,
                                     .elements = elements,
                                     .x = side.input(from, elements),
                                     .out = side.result("out", dtype, elements)});
                     },
                     true});
  }
}

void add_rows(std::vector<Case>& cases, int64_t rows, int64_t width, DType dtype, bool large) {
  std::string shape = text(rows, "x", width);
  double size = bytes(rows * width, dtype);
  cases.push_back({"gather rows",
                   shape,
                   dtype,
                   large,
                   {2 * size, 0},
                   [=](Side& side) {
                     side.run(GatherRows{.dtype = dtype,
                                         .rows = rows,
                                         .width = width,
                                         .x = side.input(dtype, 2 * rows * width),
                                         .indices = side.integers(rows, 2 * rows),
                                         .out = side.result("out", dtype, rows * width)});
                   },
                   true});
  cases.push_back({"scatter rows",
                   shape,
                   dtype,
                   large,
                   {3 * size, 0},
                   [=](Side& side) {
                     std::vector<int32_t> indices;
                     for (int64_t i = 0; i < rows; i++)
                       indices.push_back(static_cast<int32_t>(2 * (rows - i) - 1));
                     side.run(ScatterRows{.dtype = dtype,
                                          .rows = rows,
                                          .width = width,
                                          .out_rows = 2 * rows,
                                          .x = side.input(dtype, rows * width),
                                          .indices = side.copy(indices),
                                          .out = side.result("out", dtype, 2 * rows * width)});
                   },
                   true});
}

}  // namespace

std::vector<Case> memory_cases() {
  std::vector<Case> cases;
  for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (int64_t elements : {1, 1027, 40000}) add_sizes(cases, elements, dtype, false);
    add_sizes(cases, int64_t{1} << 26, dtype, true);
    for (auto [rows, width] : {Sizes2{1, 1}, Sizes2{3, 7}, Sizes2{66, 65}, Sizes2{24, 1024}})
      add_rows(cases, rows, width, dtype, false);
    add_rows(cases, 1300, 1024, dtype, true);
  }
  for (int64_t elements : {1, 1027, 1 << 24}) {
    cases.push_back(
        {"random normal",
         text(elements),
         DType::kFloat32,
         elements > 1 << 20,
         {bytes(elements, DType::kFloat32), 0},
         [=](Side& side) {
           side.run(RandomNormal{.elements = elements,
                                 .deviation = 0.02f,
                                 .seed = 5,
                                 .site = 6,
                                 .out = static_cast<float*>(side.result("out", DType::kFloat32, elements))});
         },
         true});
  }
  return cases;
}

}  // namespace glm::check
