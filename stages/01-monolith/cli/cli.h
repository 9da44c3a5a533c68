/*
 * cli.h - the command line: Docker's commands, flags and output.
 *
 * Room:       cli. Written against engine.h alone, so that every stage uses it as it is.
 * Called by:  the main.c of each stage.
 */
#ifndef CLI_H
#define CLI_H

/* Runs one command line. Returns the exit code: the command's, or 125, 126, 127, or 1 (cli.c). */
int cli_main(int argc, char **argv);

#endif
