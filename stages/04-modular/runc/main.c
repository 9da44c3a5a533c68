/*
 * main.c - where cutaway-runc begins.
 *
 * Room:       runc.
 */
#include "runc.h"

int main(int argc, char **argv)
{
    return runc_main(argc, argv);
}
