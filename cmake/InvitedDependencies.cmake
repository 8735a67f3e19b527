# Everything here comes from Debian 12; `./dev setup` installs it.
# Boost 1.81 is named exactly: nothing may drag Debian's default 1.74 into the process.
set(Boost_NO_WARN_NEW_VERSIONS ON)
find_package(Boost 1.81 EXACT REQUIRED COMPONENTS json url program_options locale)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(SQLiteCpp REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n data)
pkg_check_modules(yaml_cpp REQUIRED IMPORTED_TARGET yaml-cpp)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(gmime REQUIRED IMPORTED_TARGET gmime-3.0)
pkg_check_modules(ctemplate REQUIRED IMPORTED_TARGET libctemplate)
pkg_check_modules(gsasl REQUIRED IMPORTED_TARGET libgsasl)
pkg_check_modules(systemd REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(psl REQUIRED IMPORTED_TARGET libpsl)
pkg_check_modules(cares REQUIRED IMPORTED_TARGET libcares)
find_library(INVITED_LIBCSV csv REQUIRED)
# cctz and not the date library: the latter ignores the rule at the end of a zone file, so that its last summer is 2037's.
find_library(INVITED_CCTZ cctz REQUIRED)
find_path(INVITED_CCTZ_INCLUDE cctz/time_zone.h REQUIRED)

# What every layer gets: Asio without deprecated names, header-only Boost with std::filesystem.
add_library(invited_common INTERFACE)
target_compile_definitions(invited_common INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_DLL_USE_STD_FS SPDLOG_FMT_EXTERNAL)
target_include_directories(invited_common INTERFACE ${PROJECT_SOURCE_DIR}/daemon)
target_link_libraries(invited_common INTERFACE
  Boost::headers Boost::json spdlog::spdlog fmt::fmt Threads::Threads)
