# cmake -DNM=... -DLIBRARY=... -P no_undefined.cmake: fails when a function of ours is declared and used, but defined
# nowhere. The linker cannot tell, because an addon's Node-API functions are found only when node opens it.
execute_process(COMMAND ${NM} -u -C ${LIBRARY} OUTPUT_VARIABLE symbols RESULT_VARIABLE status)
string(REGEX MATCHALL "[^\n]*glm::[^\n]*" missing "${symbols}")
if(status EQUAL 0 AND missing)
  file(REMOVE ${LIBRARY})
  list(JOIN missing "\n" missing)
  message(FATAL_ERROR "glm: used but not defined:\n${missing}")
endif()
