#include <iostream>

#include "roman.hpp"

int main(int argc, char **argv) {
    if (argc != 2) {
        std::cerr << "usage: roman NUMBER\n";
        return 2;
    }
    std::cout << roman(std::stoi(argv[1])) << '\n';
}
