#ifndef SQUEEZE_H
#define SQUEEZE_H

#include <stddef.h>

/* How many bytes text takes when it is compressed; 0 on failure. */
size_t squeezed(const char *text);

#endif
