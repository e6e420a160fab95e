# cmake -DFOLDER=resp/web/console -DOUT=console_assets.cpp -P embed.cmake: the folder's files as bytes of a
# source, so that the program is all that a node needs.
file(GLOB FILES ${FOLDER}/*.html ${FOLDER}/*.css ${FOLDER}/*.js)
list(SORT FILES)
set(BYTES "")
set(ROWS "")
set(NUMBER 0)
foreach(FILE ${FILES})
  get_filename_component(NAME ${FILE} NAME)
  get_filename_component(KIND ${FILE} EXT)
  if(KIND STREQUAL ".html")
    set(TYPE "text/html; charset=utf-8")
  elseif(KIND STREQUAL ".css")
    set(TYPE "text/css; charset=utf-8")
  else()
    set(TYPE "text/javascript; charset=utf-8")
  endif()
  if(NAME STREQUAL "index.html")
    set(ASKED "/")
  else()
    set(ASKED "/console/${NAME}")
  endif()
  file(READ ${FILE} HEX HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," CHARACTERS "${HEX}")
  string(APPEND BYTES "constexpr char kBytes${NUMBER}[] = {${CHARACTERS}};\n")
  string(APPEND ROWS "    {\"${ASKED}\", \"${TYPE}\", {kBytes${NUMBER}, sizeof(kBytes${NUMBER})}},\n")
  math(EXPR NUMBER "${NUMBER} + 1")
endforeach()
file(WRITE ${OUT} "// Made by config/cmake/embed.cmake.
#include \"resp/web/assets.hpp\"

namespace kiwi::resp::web {

namespace {

${BYTES}
constexpr Asset kAssets[] = {
${ROWS}};

}  // namespace

std::span<const Asset> console_assets() { return kAssets; }

}  // namespace kiwi::resp::web
")
