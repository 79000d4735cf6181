# Warnings for our own code; headers of packages are SYSTEM. -Wno-psabi: GCC's note that a vector argument is passed
# differently by other instruction sets, which cannot matter here because no vector crosses an object file.
add_library(glm_warnings INTERFACE)
if(NOT MSVC)
  target_compile_options(glm_warnings INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wno-psabi>)
  # Instrumented code makes the compiler lose track of what is initialised.
  if(GLM_WARNINGS_AS_ERRORS AND NOT GLM_SANITIZE)
    target_compile_options(glm_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
  endif()
endif()
