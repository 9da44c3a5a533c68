/*
 * main.c - stage 02's command line: stage 01's, with a client where the engine was.
 */
#include "cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
