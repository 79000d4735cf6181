# GLM_SANITIZE=address,undefined or thread: the whole addon is instrumented. scripts/sanitize.mjs builds and runs it.
if(GLM_SANITIZE)
  add_compile_options(-fsanitize=${GLM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1)
  add_link_options(-fsanitize=${GLM_SANITIZE})
  # The sanitizer's runtime must see the same libstdc++ as node does.
  set(GLM_STATIC_STDCXX OFF)
endif()
