# kiwi_library(name SOURCES... LINK targets...): the one static library of a folder.
# kiwi_test(name SOURCES... LINK targets...): a doctest program that ctest runs. READS_TREE names those
# sources that open files of this tree: only they are told where it is, so that the compiler cache
# serves all others to any clone. Test sources are compiled without optimisation, since doctest's
# expressions cost the optimiser a quarter of an hour; what they test is optimised in its library.
# OPTIMIZED is for programs that do much work in sources of their own.

# The standard library costs a file about a second; it is compiled once for optimised and once for
# unoptimised sources.
add_library(kiwi_standard_headers OBJECT ${CMAKE_CURRENT_LIST_DIR}/empty.cpp)
target_precompile_headers(kiwi_standard_headers PRIVATE ${CMAKE_CURRENT_LIST_DIR}/standard_headers.hpp)
add_library(kiwi_test_headers OBJECT ${CMAKE_CURRENT_LIST_DIR}/empty.cpp)
target_compile_options(kiwi_test_headers PRIVATE -O0)
target_precompile_headers(kiwi_test_headers PRIVATE ${CMAKE_CURRENT_LIST_DIR}/standard_headers.hpp)

# OWN_HEADERS: the library precompiles others.
function(kiwi_library name)
  cmake_parse_arguments(ARG "OWN_HEADERS" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
  if(NOT ARG_OWN_HEADERS)
    target_precompile_headers(${name} REUSE_FROM kiwi_standard_headers)
  endif()
endfunction()

function(kiwi_test name)
  cmake_parse_arguments(ARG "OPTIMIZED" "TIMEOUT" "SOURCES;LINK;READS_TREE" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  if(ARG_OPTIMIZED)
    target_precompile_headers(${name} REUSE_FROM kiwi_standard_headers)
  else()
    target_compile_options(${name} PRIVATE -O0)
    target_precompile_headers(${name} REUSE_FROM kiwi_test_headers)
  endif()
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  if(ARG_READS_TREE)
    set_source_files_properties(${ARG_READS_TREE} PROPERTIES
      COMPILE_DEFINITIONS KIWI_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  add_test(NAME ${name} COMMAND ${name})
  if(ARG_TIMEOUT)
    set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  endif()
endfunction()
