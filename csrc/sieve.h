/* What the search asks of each referent before any other question, for gcremap.h. */
#ifndef GCREMAP_SIEVE_H
#define GCREMAP_SIEVE_H

#include <stdint.h>

/* Addresses that are looked for, and few others: a range, and in it one bit for
 * each hash. */
typedef struct gcr_sieve {
    uintptr_t low;
    uintptr_t span;       /* from the lowest address to the highest */
    const uint64_t *bits; /* 1 << (64 - shift) of them */
    uint32_t shift;
} gcr_sieve;

/* Which of the bits is an address's. */
static inline uint64_t
gcr_sieve_bit(uintptr_t address, uint32_t shift)
{
    /* Objects of one page are asked about together, and so have neighbouring bits; where
     * those of a page begin is random (Fibonacci hashing). Objects are 16-byte aligned. */
    uint64_t page = (uint64_t)(address >> 12) * 0x9E3779B97F4A7C15u >> shift;
    return (page + (address >> 4)) & (UINT64_MAX >> shift);
}

#endif
