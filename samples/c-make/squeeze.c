#include "squeeze.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

size_t squeezed(const char *text)
{
    uLong length = strlen(text);
    uLongf bound = compressBound(length);
    Bytef *buffer = malloc(bound);
    if (buffer == NULL)
        return 0;
    int status = compress(buffer, &bound, (const Bytef *)text, length);
    free(buffer);
    return status == Z_OK ? bound : 0;
}
