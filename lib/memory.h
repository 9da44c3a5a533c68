/*
 * memory.h - gives back what a long wait does not need: for programs that are there once for each
 * container.
 *
 * Room:       lib.   Called by: monitor, shim; some time after the last thing has happened.
 */
#ifndef CT_MEMORY_H
#define CT_MEMORY_H

/* Costs a fault for each page that is used again. */
void ct_memory_give_back(void);

#endif
