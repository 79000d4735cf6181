# Node-API headers, and how a library that node opens is linked.

# cmake-js passes CMAKE_JS_INC; a plain `cmake -S . -B build` asks node where the two header packages lie.
if(NOT CMAKE_JS_INC AND NOT GLM_CHECK)
  execute_process(
    COMMAND node -p "[require('node-api-headers').include_dir, require('node-addon-api').include_dir].map((dir) => require('path').resolve(dir)).join(';')"
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE CMAKE_JS_INC OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE node_status)
  if(NOT node_status EQUAL 0)
    message(FATAL_ERROR "glm: expected the Node-API headers in node_modules, found none; run `npm ci` first")
  endif()
endif()

function(glm_link_as_plugin target)
  if(APPLE)
    target_link_options(${target} PRIVATE -undefined dynamic_lookup)
  elseif(UNIX)
    # nodelete: node closes an addon when the last worker thread that loaded it ends; code that threads of ours are
    # still running must stay mapped.
    target_link_options(${target} PRIVATE
      -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,nodelete)
    if(GLM_STATIC_STDCXX)
      # Not -static-libgcc: it would need glibc 2.35 (_dl_find_object), and node has libgcc_s loaded anyway.
      target_link_options(${target} PRIVATE -static-libstdc++)
    endif()
  endif()
endfunction()
