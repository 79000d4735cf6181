// Matrix products of OpenBLAS and oneDNN, to be timed in turn with ours: bench/gemm.ts builds and starts this.
//
// A line `library pass rows in out dtype times` is answered with the milliseconds of one product, mean of `times`:
//   forward   y [rows, out] = x · weightᵀ        input   g [rows, in] = y · weight
//   weight    w [out, in] += yᵀ · x, in float32
// With one thread it is processor time. The first call of a kind makes the operands and warms up; -1: the library has
// no such product (bf16 in OpenBLAS).

#include <cblas.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

namespace {

using dnnl::memory;

struct Problem {
  std::string library, pass, dtype;
  int64_t rows, in, out;
};

/// [rows, columns], stored transposed or not.
struct Operand {
  int64_t rows, columns;
  bool transposed;
};

struct Shapes {
  Operand a, b, c;
};

Shapes shapes_of(const Problem& p) {
  if (p.pass == "forward") return {{p.rows, p.in, false}, {p.in, p.out, true}, {p.rows, p.out, false}};
  if (p.pass == "input") return {{p.rows, p.out, false}, {p.out, p.in, false}, {p.rows, p.in, false}};
  return {{p.out, p.rows, true}, {p.rows, p.in, false}, {p.out, p.in, false}};
}

std::vector<float> numbers(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); i++) {
    values[i] = 0.01f * static_cast<float>((i * 2654435761u >> 8) % 201) - 1.0f;
  }
  return values;
}

std::function<void()> open_blas(const Problem& p) {
  auto [a, b, c] = shapes_of(p);
  auto x = numbers(a.rows * a.columns), y = numbers(b.rows * b.columns), z = numbers(c.rows * c.columns);
  float beta = p.pass == "weight" ? 1.0f : 0.0f;
  return [=]() mutable {
    auto order = [](const Operand& o) { return o.transposed ? CblasTrans : CblasNoTrans; };
    auto stride = [](const Operand& o) { return static_cast<int>(o.transposed ? o.rows : o.columns); };
    cblas_sgemm(CblasRowMajor, order(a), order(b), static_cast<int>(c.rows), static_cast<int>(c.columns),
                static_cast<int>(a.columns), 1.0f, x.data(), stride(a), y.data(), stride(b), beta, z.data(),
                static_cast<int>(c.columns));
  };
}

class OneDnn {
 public:
  std::function<void()> product(const Problem& p) {
    auto [a, b, c] = shapes_of(p);
    auto type = p.dtype == "bfloat16" ? memory::data_type::bf16 : memory::data_type::f32;
    bool accumulate = p.pass == "weight";
    memory x = filled(a, type), y = filled(b, type);
    memory z = filled(c, accumulate ? memory::data_type::f32 : type);
    dnnl::primitive_attr attributes;
    if (accumulate) {
      dnnl::post_ops operations;
      operations.append_sum(1.0f);
      attributes.set_post_ops(operations);
    }
#if DNNL_VERSION_MAJOR >= 3
    dnnl::matmul::primitive_desc description(engine_, x.get_desc(), y.get_desc(), z.get_desc(), attributes);
#else
    dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x.get_desc(), y.get_desc(), z.get_desc()),
                                             attributes, engine_);
#endif
    dnnl::matmul primitive(description);
    return [=, this]() mutable {
      primitive.execute(stream_, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, y}, {DNNL_ARG_DST, z}});
      stream_.wait();
    };
  }

 private:
  memory filled(const Operand& o, memory::data_type type) {
    auto tag = o.transposed ? memory::format_tag::ba : memory::format_tag::ab;
    auto values = numbers(o.rows * o.columns);
    memory source({{o.rows, o.columns}, memory::data_type::f32, tag}, engine_, values.data());
    memory target({{o.rows, o.columns}, type, tag}, engine_);
    dnnl::reorder(source, target).execute(stream_, source, target);
    stream_.wait();
    return target;
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
};

}  // namespace

int main(int, char** arguments) {
  int threads = std::atoi(arguments[1]);
  openblas_set_num_threads(threads);
  OneDnn one_dnn;
  const dnnl_version_t* version = dnnl_version();
  std::cout << "{\"openblas\": \"" << openblas_get_config() << "\", \"onednn\": \"" << version->major << '.'
            << version->minor << '.' << version->patch << "\"}" << std::endl;
  std::string previous;
  std::map<std::string, std::function<void()>> products;
  Problem p;
  int times = 1;
  while (std::cin >> p.library >> p.pass >> p.rows >> p.in >> p.out >> p.dtype >> times) {
    if (p.library == "openblas" && p.dtype != "float32") {
      std::cout << "-1" << std::endl;
      continue;
    }
    std::string shape = p.pass + std::to_string(p.rows) + "," + std::to_string(p.in) + "," +
                        std::to_string(p.out) + p.dtype;
    if (shape != previous) products.clear();  // one shape's operands at a time
    previous = shape;
    auto [product, is_new] = products.try_emplace(p.library);
    if (is_new) {
      product->second = p.library == "openblas" ? open_blas(p) : one_dnn.product(p);
      product->second();
    }
    auto now = [&] {
      if (threads == 1) return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
      std::chrono::duration<double, std::milli> since = std::chrono::steady_clock::now().time_since_epoch();
      return since.count();
    };
    double started = now();
    for (int i = 0; i < times; i++) product->second();
    std::cout << (now() - started) / times << std::endl;
  }
}
