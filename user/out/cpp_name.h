/* SPDX-License-Identifier: BSD-2-Clause */
/* cpp_name.h - C++ names as people say them: without the parameters that are always the same. */
#ifndef SEEP_OUT_CPP_NAME_H
#define SEEP_OUT_CPP_NAME_H

/*
 * std::vector<std::__cxx11::basic_string<char, ...>, std::allocator<...> > becomes
 * std::vector<std::string>. In place; other names stay as they are.
 */
void cpp_name__shorten(char *name);

#endif /* SEEP_OUT_CPP_NAME_H */
