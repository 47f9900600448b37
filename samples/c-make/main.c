#include <stdio.h>

#include "squeeze.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("%s: %zu\n", argv[i], squeezed(argv[i]));
    return argc > 1 ? 0 : 2;
}
