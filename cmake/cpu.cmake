# The CPU kernels: the files of cpp/cpu are compiled once per instruction set, as glm_cpu_<isa> with GLM_ISA=<isa>;
# the files of cpp/cpu/dispatch once, for the oldest processor, and choose among them at run time.
# scripts/check-isa-symbols.mjs proves that no function of one set can be linked into another's code.

set(kernel_options -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(instruction_sets generic avx2 avx512 avx512bf16)
  set(options_generic -msse2)
  set(options_avx2 -mavx2 -mfma -mf16c -mbmi2)
  set(options_avx512 ${options_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
  set(options_avx512bf16 ${options_avx512} -mavx512bf16)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(instruction_sets neon) # every arm64 processor has it, and the compiler's vectors become it
else()
  set(instruction_sets generic)
endif()

# Builds that only check, with a sanitizer or for a simulated GPU, run one set, which scripts/checking-build.mjs asks for:
# the sources are the same for all. The others need only compile, fast.
list(GET instruction_sets 0 checked_instruction_set)
if("avx2" IN_LIST instruction_sets)
  set(checked_instruction_set avx2)
endif()

file(GLOB_RECURSE kernel_sources CONFIGURE_DEPENDS cpp/cpu/*.cpp)
list(FILTER kernel_sources EXCLUDE REGEX "/cpp/cpu/dispatch/")
if(kernel_sources)
  foreach(isa ${instruction_sets})
    add_library(glm_cpu_${isa} OBJECT ${kernel_sources})
    target_include_directories(glm_cpu_${isa} PRIVATE cpp)
    target_compile_definitions(glm_cpu_${isa} PRIVATE GLM_ISA=${isa})
    target_compile_options(glm_cpu_${isa} PRIVATE ${kernel_options} ${options_${isa}})
    if((GLM_SANITIZE OR GLM_CUDA_SIM) AND NOT isa STREQUAL checked_instruction_set)
      target_compile_options(glm_cpu_${isa} PRIVATE -O0 -g0 -fno-sanitize=all)
    elseif(GLM_SANITIZE)
      target_compile_options(glm_cpu_${isa} PRIVATE -O1)
    endif()
    target_link_libraries(glm_cpu_${isa} PRIVATE glm_warnings Threads::Threads)
    target_sources(glm_core PRIVATE $<TARGET_OBJECTS:glm_cpu_${isa}>)
  endforeach()
endif()

file(GLOB_RECURSE dispatch_sources CONFIGURE_DEPENDS cpp/cpu/dispatch/*.cpp)
target_sources(glm_core PRIVATE ${dispatch_sources})
